"""A system of the person's own, called with a signature as Standard Webhooks has it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings

from runbooks.notifications.channels.base import ChannelError, Line, Message, Reason, Sent
from runbooks.notifications.channels.http import Caller, calling
from runbooks.notifications.channels.urls import clean_url, host_of, shown_url
from runbooks.outbound.signing import signed

LABEL, ADDRESS, EXAMPLE = "Webhook", "Address to call", "https://hooks.example.org/notices"
IS_SHORT, SIGNS = False, True


def is_configured() -> bool:
    return "webhook" in settings.NOTICE_CHANNELS


def clean(written: str) -> str:
    return clean_url(written, EXAMPLE)


def domain_of(address: str) -> str:
    return host_of(address)


def shown(address: str) -> str:
    return shown_url(address)


@contextmanager
def line() -> Iterator[Line]:
    with calling() as caller:
        yield _WebhookLine(caller)


@dataclass(frozen=True, slots=True)
class _WebhookLine:
    caller: Caller

    def send(self, message: Message) -> Sent:
        body = json.dumps(content_of(message), ensure_ascii=False, separators=(",", ":")).encode()
        try:
            headers = signed([message.secret], message.key, body, datetime.now(UTC))
        except ValueError as error:
            words = "This webhook has no secret to sign with. Add it anew."
            raise ChannelError(words, permanent=True, reason=Reason.ADDRESS_REFUSED) from error
        self.caller.call(message.address, content=body, headers={"Content-Type": "application/json", **headers})
        return Sent(message.key)


def content_of(message: Message) -> dict[str, object]:
    """Version 1, documented in docs/channels.md."""
    return {
        "version": 1,
        "kind": "notice",
        "id": message.key,
        "subject": message.subject,
        "body": message.body,
        "language": message.language,
        "is_exercise": message.is_exercise,
        "is_important": message.is_important,
    }

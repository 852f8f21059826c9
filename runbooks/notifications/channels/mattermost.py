"""Mattermost, by the address of an incoming webhook."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings

from runbooks.notifications.channels.base import Line, Message, Reason, Sent
from runbooks.notifications.channels.http import PERHAPS, Caller, calling
from runbooks.notifications.channels.plain import said, without_markdown, without_mentions
from runbooks.notifications.channels.urls import clean_url, host_of, shown_url

LABEL, ADDRESS, EXAMPLE = "Mattermost", "Webhook address", "https://chat.example.org/hooks/xen8y1"
IS_SHORT = SIGNS = False
# Half of what a message may hold: every sign of Markdown takes two.
MOST_CHARACTERS = 8000


def is_configured() -> bool:
    return "mattermost" in settings.NOTICE_CHANNELS


def clean(written: str) -> str:
    return clean_url(written, EXAMPLE)


def domain_of(address: str) -> str:
    return host_of(address)


def shown(address: str) -> str:
    return shown_url(address)


@contextmanager
def line() -> Iterator[Line]:
    with calling() as caller:
        yield _MattermostLine(caller)


@dataclass(frozen=True, slots=True)
class _MattermostLine:
    caller: Caller

    def send(self, message: Message) -> Sent:
        text = without_mentions(without_markdown(said(message, MOST_CHARACTERS)))
        answer = self.caller.call(message.address, json={"text": text})
        # Anything else is a page of something that stands before it, or is no Mattermost.
        if answer.content.strip() != b"ok":
            sentence = f"{answer.request.url.host} answered something else than Mattermost does.{PERHAPS}"
            raise self.caller.fault(sentence, Reason.FAULT, may_have_arrived=True)
        return Sent()

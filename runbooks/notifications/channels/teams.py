"""Microsoft Teams, by the address of a workflow that was made from "When a Teams webhook request is received"."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings

from runbooks.notifications.channels.base import Line, Message, Reason, Sent
from runbooks.notifications.channels.http import PERHAPS, Caller, calling
from runbooks.notifications.channels.plain import cut, harmless, without_mentions
from runbooks.notifications.channels.urls import clean_url, host_of, shown_url

LABEL, ADDRESS = "Microsoft Teams", "Workflow address"
EXAMPLE = "https://example.api.powerplatform.com/workflows/1f0c"
IS_SHORT = SIGNS = False
MOST_CHARACTERS = 8000


def is_configured() -> bool:
    return "teams" in settings.NOTICE_CHANNELS


def clean(written: str) -> str:
    return clean_url(written, EXAMPLE)


def domain_of(address: str) -> str:
    return host_of(address)


def shown(address: str) -> str:
    return shown_url(address)


@contextmanager
def line() -> Iterator[Line]:
    with calling() as caller:
        yield _TeamsLine(caller)


@dataclass(frozen=True, slots=True)
class _TeamsLine:
    caller: Caller

    def send(self, message: Message) -> Sent:
        """An answer of 202 says that the workflow was started, and no more."""
        answer = self.caller.call(message.address, json={"type": "message", "attachments": [card_of(message)]})
        # The older connectors answer 200 whatever happened, and say it in the text.
        if answer.status_code == 200 and b"delivery failed" in answer.content.lower():
            reason = Reason.BUSY if b"429" in answer.content else Reason.FAULT
            raise self.caller.fault(f"Teams could not deliver the message.{PERHAPS}", reason, may_have_arrived=True)
        return Sent()


def card_of(message: Message) -> dict[str, object]:
    """An adaptive card of plain runs of text: in those, unlike in text blocks, nothing is Markdown."""
    body = harmless(message.body).strip()
    lines = [_block(harmless(message.subject), weight="Bolder", size="Medium")]
    if body != message.subject.strip():
        lines += [_block(part) for part in cut(body, MOST_CHARACTERS).split("\n") if part.strip()]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": lines,
    }
    return {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}


def _block(text: str, **options: str) -> dict[str, object]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": without_mentions(text), **options}]}

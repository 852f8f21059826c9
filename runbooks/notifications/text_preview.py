"""How a text reads to those who get it: by which channel, under which sharing label."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from runbooks.notifications.channels import CHANNELS, channel, text
from runbooks.notifications.channels.base import Message
from runbooks.notifications.channels.plain import brief
from runbooks.notifications.shipped_texts import Wording, is_of_an_incident
from runbooks.notifications.text_rules import check_wording
from runbooks.notifications.text_versions import event_named, example_values, words_of
from runbooks.notifications.wording import Text, leaving, may_say_all, tried

# FIRST's TLP 2.0, the most open first.
LABELS: Final = ("CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED")


@dataclass(frozen=True, slots=True)
class Leaving:
    """What leaves the portal: a mail's subject and text, and what a text message says."""

    labels: str
    subject: str
    body: str
    short: str

    @property
    def characters(self) -> int:
        return len(self.short)


@dataclass(frozen=True, slots=True)
class Said:
    """What channels of one kind may say under some labels, in words."""

    labels: str
    channels: str
    says: str


def check_text(name: str, language: str, wording: Wording, *, tlp: str = "GREEN") -> Text:
    """The notice that the text makes of the event's example. Raises BadTextError where it cannot be used."""
    event = event_named(name)
    check_wording(wording, frozenset(words_of(event)))
    return tried(name, wording, example_values(event, tlp=tlp), language=language)


def preview(name: str, language: str, wording: Wording) -> list[Leaving]:
    """What leaves, under labels that let it be said and under those that do not. Raises BadTextError."""
    if not is_of_an_incident(name):
        return [_leaving(check_text(name, language, wording), None, [])]
    return [
        _leaving(check_text(name, language, wording, tlp=tlp), tlp, labels)
        for tlp, labels in (("GREEN", _open()), ("AMBER", _close()))
    ]


def _leaving(made: Text, tlp: str | None, labels: list[str]) -> Leaving:
    subject, body = leaving(made.subject, made.body, made.brief, tlp=tlp, is_short=False)
    line, said = leaving(made.subject, made.body, made.brief, tlp=tlp, is_short=True)
    message = Message(address="", subject=line, body=said, key="")
    return Leaving(in_words(labels, "TLP:") if labels else "", subject, body, brief(message, text.MOST_CHARACTERS))


def said_by_channel(name: str) -> list[Said]:
    """What may be said by which channel: read off what carries it, so that it cannot say otherwise than is done."""
    short = in_words([channel(one).LABEL for one in CHANNELS if channel(one).IS_SHORT])
    long = in_words([channel(one).LABEL for one in CHANNELS if not channel(one).IS_SHORT])
    whole, line, little = "Subject and text", "The subject alone", "Label and reference, and to look in IR Portal"
    if not is_of_an_incident(name):
        return [
            Said("No label: it is of no incident", long, whole),
            Said("No label: it is of no incident", short, line),
        ]
    return [
        Said(in_words(_open(), "TLP:"), long, whole),
        Said(in_words(_open(), "TLP:"), short, line),
        Said(in_words(_close(), "TLP:"), "Every channel", little),
    ]


def in_words(parts: Iterable[str], before: str = "") -> str:
    """a, b and c"""
    *first, last = [f"{before}{part}" for part in parts]
    return f"{', '.join(first)} and {last}" if first else last


def _open() -> list[str]:
    return [label for label in LABELS if may_say_all(label)]


def _close() -> list[str]:
    return [label for label in LABELS if not may_say_all(label)]

"""The texts of notices as they stand, and what they said before."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings

from runbooks.errors import NotFoundError
from runbooks.notifications.edited_texts import may_name, newest
from runbooks.notifications.events import Event, events
from runbooks.notifications.models import EscalationPolicy, NoticeText
from runbooks.notifications.shipped_texts import FOLDERS, Wording, is_of_an_incident, shipped
from runbooks.notifications.wording import Announcing, values_of

LANGUAGES: Final = {"en-gb": "English", "cy": "Welsh"}
PAGE: Final = 10
# For a comparison: names in braces as one, words, the space between them, signs.
PIECE: Final = re.compile(r"\{[{%].*?[%}]\}|\w+|\s+|[^\w\s]")
EXAMPLE_AT: Final = datetime(2026, 6, 23, 8, 7, tzinfo=UTC)


@dataclass(slots=True)
class Example:
    """An incident that fills previews, as far as a notice needs one."""

    tlp: str
    id: Any = None
    reference: str = "IR-2026-0001"
    title: str = "Password guessing on staff mail"
    severity: int = 2
    is_exercise: bool = False
    head_sequence: int = 12

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(settings.INSTITUTION_TIME_ZONE)


@dataclass(frozen=True, slots=True)
class Standing:
    """One event in one language now. `newest` is its last version, None where there never was one."""

    event: Event
    language: str
    newest: NoticeText | None

    @property
    def label(self) -> str:
        return LANGUAGES[self.language]

    @property
    def version(self) -> int:
        return self.newest.version if self.newest else 0

    @property
    def is_shipped(self) -> bool:
        return self.newest is None or not self.newest.body

    @property
    def wording(self) -> Wording:
        if self.newest is None or not self.newest.body:
            return shipped(self.event.name, self.language)
        return Wording(self.newest.subject, self.newest.body)


@dataclass(frozen=True, slots=True)
class Change:
    """A piece of a text: there before and after (`kept`), only after (`new`) or only before (`old`)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version beside the one before it; the first is beside the shipped text."""

    row: NoticeText
    is_shipped: bool
    subject: Sequence[Change]
    body: Sequence[Change]


def event_named(name: str) -> Event:
    event = events().get(name)
    if event is None:
        raise NotFoundError("There is no such notice.")
    return event


def standing(name: str, language: str) -> Standing:
    event = event_named(name)
    if language not in FOLDERS:
        raise NotFoundError("Notices are not written in that language.")
    return Standing(event, language, newest(name, language))


def standings() -> list[tuple[Event, list[Standing]]]:
    """Every event in the order of the file, in each language; one query."""
    rows = NoticeText.objects.order_by("event", "language", "-version").distinct("event", "language")
    found = {(row.event, row.language): row for row in rows}
    return [
        (event, [Standing(event, language, found.get((name, language))) for language in FOLDERS])
        for name, event in events().items()
    ]


def calling() -> frozenset[str]:
    """The events that call others while nobody answers: as shipped, but for those whose chain was switched off."""
    rows = EscalationPolicy.objects.order_by("event", "-version").distinct("event")
    off = {event for event, is_active in rows.values_list("event", "is_active") if not is_active}
    return frozenset(name for name, event in events().items() if event.chain is not None and name not in off)


def example_values(event: Event, *, tlp: str = "GREEN") -> dict[str, Any]:
    """What fills a preview: the event's sample, and an incident's where such notices are of one."""
    incident: Announcing | None = Example(tlp=tlp) if is_of_an_incident(event.name) else None
    return values_of(event.sample, incident, EXAMPLE_AT)


def words_of(event: Event) -> Mapping[str, Any]:
    """{name that a text of this event may say: what it says in the preview}; the event's own first."""
    values = example_values(event)
    frame = values if is_of_an_incident(event.name) else {"happened_at": ""}
    return {name: values[name] for name in [*event.sample, *frame] if name in may_name(event.name, values)}


def history(name: str, language: str, *, before: int | None = None) -> tuple[list[Version], int | None]:
    """So many versions, the newest first, before that one; and before which to go on, None at the end. One query."""
    rows = NoticeText.objects.filter(event=name, language=language).order_by("-version")
    if before is not None:
        rows = rows.filter(version__lt=before)
    found = list(rows[: PAGE + 1])
    earlier = [*found[1:], None][:PAGE]
    versions = [_beside(row, older) for row, older in zip(found[:PAGE], earlier, strict=False)]
    return versions, found[PAGE - 1].version if len(found) > PAGE else None


def wording_of(row: NoticeText | None, name: str, language: str) -> Wording:
    return Wording(row.subject, row.body) if row is not None and row.body else shipped(name, language)


def _beside(row: NoticeText, older: NoticeText | None) -> Version:
    after = wording_of(row, row.event, row.language)
    before = wording_of(older, row.event, row.language)
    return Version(
        row=row,
        is_shipped=not row.body,
        subject=changes(before.subject, after.subject),
        body=changes(before.body, after.body),
    )


def changes(before: str, after: str) -> list[Change]:
    """From one text to the other, word by word; names in braces count as one word."""
    old, new = PIECE.findall(before), PIECE.findall(after)
    found: list[Change] = []
    for kind, i, j, k, m in difflib.SequenceMatcher(None, old, new).get_opcodes():
        if kind == "equal":
            found.append(Change("kept", "".join(old[i:j])))
            continue
        found += _pieces("old", old[i:j]) + _pieces("new", new[k:m])
    return found


def _pieces(kind: str, pieces: Iterable[str]) -> list[Change]:
    text = "".join(pieces)
    return [Change(kind, text)] if text else []

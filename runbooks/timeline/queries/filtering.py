"""Which entries are meant, and the SQL conditions that say so. What a person typed is always a parameter."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

Parameter = str | int | list[int] | datetime | UUID

TERM = re.compile(r'(-?)(?:"([^"]+)"|([^\s"]+))')
# What can stand quoted in a tsquery as it is.
LEXEME = re.compile(r"\w(?:[\w.@+-]*\w)?")
PARTED = re.compile(r"\w[.@+-]\w")


@dataclass(frozen=True, slots=True)
class Filter:
    """All conditions hold at once. `start` is included, `end` is not.

    `account_ids` is None for any account; an empty tuple matches no entry. `fold` shows a burst as its first entry. It
    holds only while whole bursts are meant: a search for what stands inside one must find it there.
    """

    text: str = ""
    lane: str = ""
    kind: str = ""
    who: Literal["", "people", "automated"] = ""
    person_id: int | None = None
    account_ids: tuple[int, ...] | None = None
    step_id: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    corrected: bool = False
    pinned: bool = False
    burst: int | None = None
    fold: bool = True

    @property
    def folds(self) -> bool:
        return self.fold and not self.looks_inside

    @property
    def looks_inside(self) -> bool:
        """Whether single entries are looked for, wherever they stand."""
        narrow = self.text or self.lane or self.kind or self.corrected or self.pinned
        return bool(narrow) or self.account_ids is not None or self.step_id is not None or self.burst is not None

    @property
    def is_set(self) -> bool:
        return self.looks_inside or bool(self.who or self.person_id or self.start or self.end)


@dataclass(slots=True)
class Where:
    """Conditions on the alias `event`, with their parameters."""

    conditions: list[str] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)

    def add(self, condition: str, *parameters: Parameter) -> None:
        self.conditions.append(condition)
        self.parameters.extend(parameters)

    def __str__(self) -> str:
        return " AND ".join(self.conditions)


def conditions(incident_id: UUID, wanted: Filter) -> Where:
    """Only what is asked for stands in the statement, so that the planner sees it and not a chain of ORs."""
    where = Where(["event.incident_id = %s"], [incident_id])
    if wanted.folds:
        where.add("(event.burst IS NULL OR event.burst = event.sequence)")
    if wanted.burst is not None:
        where.add("event.burst = %s", wanted.burst)
    if wanted.lane:
        where.add("event.lane = %s", wanted.lane)
    if wanted.kind:
        where.add("event.kind = %s", wanted.kind)
    if wanted.who:
        where.add("event.is_automated" if wanted.who == "automated" else "NOT event.is_automated")
    if wanted.person_id is not None:
        where.add("event.actor_user_id = %s", wanted.person_id)
    if wanted.start is not None:
        where.add("event.occurred_at >= %s", wanted.start)
    if wanted.end is not None:
        where.add("event.occurred_at < %s", wanted.end)
    _narrow(where, incident_id, wanted)
    return where


def _narrow(where: Where, incident_id: UUID, wanted: Filter) -> None:
    """Conditions with an index of their own."""
    if wanted.text:
        _search(where, wanted.text)
    if wanted.account_ids is not None:
        where.add("event.account_ids && %s::bigint[]", list(wanted.account_ids))
    if wanted.step_id is not None:
        where.add("event.step_id = %s", wanted.step_id)
    if wanted.pinned:
        where.add("event.id IN (SELECT event_id FROM runbooks_pin WHERE incident_id = %s)", incident_id)
    if wanted.corrected:
        where.add(
            "event.sequence IN (SELECT unnest(ARRAY[sequence, corrects]) FROM runbooks_timelineevent"
            " WHERE incident_id = %s AND corrects IS NOT NULL)",
            incident_id,
        )


def _search(where: Where, text: str) -> None:
    """Every word of the text, the last as a beginning, since somebody is still typing; "a phrase"; -not this."""
    terms = TERM.findall(text.lower())
    for place, (minus, phrase, word) in enumerate(terms):
        negate = "NOT " if minus else ""
        if phrase:
            where.add(f"{negate}event.search @@ phraseto_tsquery('simple', %s)", phrase)
            continue
        # As the parser cuts the word, or as a whole lexeme: an address is one lexeme, and people type how it begins.
        found = LEXEME.search(word)
        is_beginning = not minus and (place == len(terms) - 1 or bool(PARTED.search(word)))
        lexeme = f"'{found.group()}'{':*' if is_beginning else ''}" if found else ""
        where.add(f"{negate}event.search @@ (%s::tsquery || plainto_tsquery('simple', %s))", lexeme, word)

"""One page of a timeline, by keyset.

The page is one statement, in SQL: a row comparison walks the index in either direction from wherever the page begins,
so the deepest page costs what the first one does. It is put together from constants.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from runbooks.timeline.queries.filtering import Filter, Where, conditions

PAGE = 50
# So many matches of a search are sorted whole; where there are more, they are rather met along the time index.
SORTED_WHOLE = 5000
# "n new entries" counts no further: nobody reads the difference.
NEW_COUNTED = 1000

CUT = "(SELECT event.* FROM"
COLUMNS = """
SELECT event.sequence, event.occurred_at, event.occurred_precision, event.recorded_at, event.kind, event.lane,
    event.summary, event.actor, event.is_automated, event.step_id, event.corrects, event.hash,
    EXISTS (SELECT FROM runbooks_pin WHERE runbooks_pin.event_id = event.id),
    correction.sequence, correction.recorded_at, correction.summary, ending.sequence, ending.occurred_at
FROM
"""
# Beside each of the lines of a page, never beside all entries: the page is cut first.
CORRECTION = """
LEFT JOIN LATERAL (
    SELECT later.sequence, later.recorded_at, later.summary FROM runbooks_timelineevent later
    WHERE later.incident_id = event.incident_id AND later.corrects = event.sequence
    ORDER BY later.sequence LIMIT 1
) AS correction ON true
"""
# A burst is a run of numbers without a gap, so its first and last say how many it holds.
ENDING = """
LEFT JOIN LATERAL (
    SELECT last.sequence, last.occurred_at FROM runbooks_timelineevent last
    WHERE last.incident_id = event.incident_id AND last.burst = event.burst
    ORDER BY last.sequence DESC LIMIT 1
) AS ending ON ending.sequence > event.sequence
"""
NO_ENDING = "LEFT JOIN (SELECT NULL::bigint AS sequence, NULL::timestamptz AS occurred_at) AS ending ON true"


class Cursor(NamedTuple):
    """A place in the order of time: at the entry with this time and number, which itself is not shown."""

    occurred_at: datetime
    sequence: int


class Row(NamedTuple):
    """One line of the page. `burst_last` is set where it stands for a burst of several entries."""

    sequence: int
    occurred_at: datetime
    precision: str
    recorded_at: datetime
    kind: str
    lane: str
    summary: str
    actor: str
    is_automated: bool
    step_id: int | None
    corrects: int | None
    hash: str
    is_pinned: bool
    corrected_by: int | None
    corrected_at: datetime | None
    corrected_to: str | None
    burst_last: int | None
    burst_ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the order shown, and whether there are more on either side."""

    rows: list[Row]
    has_previous: bool
    has_next: bool


def page(
    incident_id: UUID,
    wanted: Filter,
    *,
    newest_first: bool = True,
    after: Cursor | None = None,
    before: Cursor | None = None,
    lines: int = PAGE,
) -> Page:
    """The lines that follow `after` in the order shown, or that end at `before`; at most one of the two is given.

    One query, two where a text or a step is looked for, whatever the incident holds.
    """
    backwards = before is not None
    where = conditions(incident_id, wanted)
    is_gathered = _is_gathered(where, wanted)
    descending = newest_first != backwards
    # Inside a burst the order is that of numbers: its entries are often of one moment.
    by = ("sequence",) if wanted.burst is not None else ("occurred_at", "sequence")
    if (start := before or after) is not None:
        _begin(where, start, by, descending)
    ending = ENDING if wanted.folds else NO_ENDING
    rows = _fetch(where, by, descending, is_gathered=is_gathered, ending=ending, limit=lines + 1)
    has_more, rows = len(rows) > lines, rows[:lines]
    if backwards:
        return Page(rows[::-1], has_previous=has_more, has_next=bool(rows))
    # Behind the last entry there is no row whose place could lead back.
    return Page(rows, has_previous=after is not None and bool(rows), has_next=has_more)


def _begin(where: Where, start: Cursor, by: tuple[str, ...], descending: bool) -> None:
    """Continue behind the cursor. A row comparison, since thousands of entries may share a moment."""
    names = ", ".join(f"event.{name}" for name in by)
    values = ", ".join(["%s"] * len(by))
    where.add(f"({names}) {'<' if descending else '>'} ({values})", *(getattr(start, name) for name in by))


def _is_gathered(where: Where, wanted: Filter) -> bool:
    """Whether the matches are few enough to gather by their own index and sort.

    The planner cannot know: it takes any word for one entry in two hundred, and then walks a million entries in order
    of time for three matches, or sorts a million for one page.
    """
    if wanted.account_ids is not None or wanted.pinned or wanted.corrected:
        return True
    if not wanted.text and wanted.step_id is None:
        return False
    return _count(where, SORTED_WHOLE + 1) <= SORTED_WHOLE


def _count(where: Where, limit: int) -> int:
    """How many entries match, counted up to the limit."""
    statement = ("SELECT count(*) FROM (SELECT FROM runbooks_timelineevent event WHERE", str(where), "LIMIT %s) AS met")
    with connection.cursor() as cursor:
        cursor.execute(" ".join(statement), [*where.parameters, limit])
        return int(cursor.fetchone()[0])


def _fetch(
    where: Where, by: tuple[str, ...], descending: bool, *, is_gathered: bool, ending: str, limit: int
) -> list[Row]:
    """Cut one page first, and only then look beside each of its lines."""
    order = ", ".join(f"event.{name} {'DESC' if descending else 'ASC'}" for name in by)
    matches: tuple[str, ...] = ("runbooks_timelineevent event WHERE", str(where))
    if is_gathered:
        # OFFSET 0 keeps the planner from walking the time index in search of the few.
        matches = (CUT, *matches, "OFFSET 0) AS event")
    cut = (CUT, *matches, "ORDER BY", order, "LIMIT %s) AS event")
    with connection.cursor() as cursor:
        statement = " ".join((COLUMNS, *cut, CORRECTION, ending, "ORDER BY", order))
        cursor.execute(statement, [*where.parameters, limit])
        return [Row._make(row) for row in cursor.fetchall()]


def new_entries(incident_id: UUID, sequence: int, wanted: Filter) -> int:
    """How many entries after this number the filter lets through; no more than NEW_COUNTED."""
    where = conditions(incident_id, replace(wanted, fold=False))
    where.add("event.sequence > %s", sequence)
    return _count(where, NEW_COUNTED)

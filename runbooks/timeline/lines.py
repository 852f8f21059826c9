"""Entries as a page says them: rows of the query turned into strings, hour by hour.

The strings are made here and not by template filters: on a page of 50 lines those cost more than the query.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from zoneinfo import ZoneInfo

from runbooks.presentation import clock, number, plural, span, zone_name
from runbooks.timeline.marks import mark_of
from runbooks.timeline.models import Lane, Precision
from runbooks.timeline.queries import Row

# From here on it matters that something was written down later than it happened.
RECORDED_LATE = timedelta(minutes=10)
KIND_LABELS = {"entry.corrected": "Correction", "entry.pinned": "Pinned", "entry.unpinned": "Unpinned"}
# What is said of an entry whose content was erased: by itself none is empty.
TAKEN_OUT = "Content taken out"
ROUGHLY: dict[str, str] = {Precision.HOUR: "to the hour", Precision.DAY: "day only"}


@dataclass(frozen=True, slots=True)
class Line:
    """One entry, or a folded burst. `iso` and `full` say the moment to machines and in a tooltip."""

    sequence: int
    numbers: str
    iso: str
    full: str
    time: str
    until: str
    rough: str
    recorded: str
    later: str
    icon: str
    tone: str
    label: str
    kind: str
    summary: str
    by: str
    step: str
    corrects: int | None
    corrected_by: int | None
    corrected_at: str
    corrected_to: str
    is_pinned: bool
    is_burst: bool
    hash: str


@dataclass(frozen=True, slots=True)
class Hour:
    """The lines of one hour, or of one day whose hours nobody knows. `starts_at` is None for the latter."""

    starts_at: datetime | None
    time: str
    day: str
    lines: list[Line] = field(default_factory=list)


@lru_cache(maxsize=512)
def label_of(kind: str, lane: str) -> str:
    """What an entry is, in words: what people added goes by its lane, the rest by its kind."""
    if kind == "entry.added":
        return str(Lane(lane).label)
    return KIND_LABELS.get(kind) or kind.replace(".", " ").replace("_", " ").capitalize()


def hours(rows: Sequence[Row], zone: ZoneInfo, now: datetime, steps: Mapping[int, str]) -> list[Hour]:
    """The rows in their order, grouped by local hour. `steps` gives the number of a step by its id."""
    return list(_hours(rows, zone, now, steps))


def _hours(rows: Sequence[Row], zone: ZoneInfo, now: datetime, steps: Mapping[int, str]) -> Iterator[Hour]:
    year = now.astimezone(zone).year

    def hour_of(row: Row) -> tuple[datetime, bool]:
        local = row.occurred_at.astimezone(zone)
        is_day = row.precision == Precision.DAY
        return local.replace(hour=0 if is_day else local.hour, minute=0, second=0, microsecond=0), is_day

    for (start, is_day), group in groupby(rows, hour_of):
        day = f"{start:%A} {start.day} {start:%B}" + ("" if start.year == year else f" {start.year}")
        lines = [line_of(row, zone, steps) for row in group]
        yield Hour(None if is_day else start, "Some time that day" if is_day else f"{start:%H:%M}", day, lines)


@lru_cache(maxsize=512)
def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}"


def line_of(row: Row, zone: ZoneInfo, steps: Mapping[int, str]) -> Line:
    local = row.occurred_at.astimezone(zone)
    time = f"{local.hour:02d}:{local.minute:02d}"
    icon, tone = mark_of(row.kind, row.lane)
    is_late = row.recorded_at - row.occurred_at >= RECORDED_LATE and row.precision != Precision.DAY
    count = 1 if row.burst_last is None else row.burst_last - row.sequence + 1
    return Line(
        sequence=row.sequence,
        numbers=f"#{row.sequence}" if row.burst_last is None else f"#{row.sequence}–{row.burst_last}",
        iso=local.isoformat(timespec="seconds"),
        full=f"{_day(local.date())} {time} {zone_name(local)}",
        time="" if row.precision == Precision.DAY else time,
        until=_until(row, zone),
        rough=ROUGHLY.get(row.precision, ""),
        recorded=clock(row.recorded_at, zone, row.occurred_at) if is_late else "",
        later=span(row.recorded_at - row.occurred_at) if is_late else "",
        icon=icon,
        tone=tone,
        label=label_of(row.kind, row.lane),
        kind=row.kind,
        summary=row.summary if count == 1 else _folded(row, count),
        by=f"{row.actor}, automated" if row.is_automated else row.actor,
        step=steps.get(row.step_id, "") if row.step_id is not None else "",
        corrects=row.corrects,
        corrected_by=row.corrected_by,
        corrected_at=clock(row.corrected_at, zone, row.occurred_at) if row.corrected_at else "",
        corrected_to=row.corrected_to or "",
        is_pinned=row.is_pinned,
        is_burst=count > 1,
        hash=f"{row.hash[:16]} {row.hash[16:32]}",
    )


def _until(row: Row, zone: ZoneInfo) -> str:
    """When a burst ended, where that is another minute than it began."""
    if row.burst_ends_at is None or row.burst_ends_at - row.occurred_at < timedelta(minutes=1):
        return ""
    return clock(row.burst_ends_at, zone, row.occurred_at)


def _folded(row: Row, count: int) -> str:
    many = plural(count, "automated entry", "automated entries") if row.is_automated else f"{number(count)} entries"
    return f"{many}, #{row.sequence} to #{row.burst_last}: {row.summary or TAKEN_OUT}"

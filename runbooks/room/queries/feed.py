"""The newest lines of the timeline, as the overview shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import F, Q
from django.urls import reverse

from runbooks.incidents.models import Incident
from runbooks.presentation import clock
from runbooks.timeline.lines import TAKEN_OUT
from runbooks.timeline.marks import mark_of
from runbooks.timeline.models import TimelineEvent

LINES = 9
FRESH = timedelta(minutes=5)
CUT_AT = 220


class Entry(NamedTuple):
    """What a line is said from."""

    sequence: int
    occurred_at: datetime
    recorded_at: datetime
    kind: str
    lane: str
    summary: str
    actor: str
    is_automated: bool


@dataclass(frozen=True, slots=True)
class FeedLine:
    address: str
    iso: str
    time: str
    icon: str
    tone: str
    summary: str
    by: str
    is_fresh: bool


def newest_entries(incident_id: UUID) -> list[Entry]:
    """One query: the newest entries, of a burst its first."""
    rows = (
        TimelineEvent.objects.filter(incident_id=incident_id)
        .filter(Q(burst__isnull=True) | Q(burst=F("sequence")))
        .order_by("-occurred_at", "-sequence")
        .values_list("sequence", "occurred_at", "recorded_at", "kind", "lane", "summary", "actor", "is_automated")[
            :LINES
        ]
    )
    return [Entry._make(row) for row in rows]


def feed(incident: Incident, entries: Sequence[Entry], now: datetime) -> list[FeedLine]:
    address = reverse("timeline", args=[incident.reference])
    return [_line(entry, address, incident.zone, now) for entry in entries]


def _line(entry: Entry, address: str, zone: ZoneInfo, now: datetime) -> FeedLine:
    sequence, occurred_at, recorded_at, kind, lane, summary, actor, is_automated = entry
    icon, tone = mark_of(kind, lane)
    summary = summary or TAKEN_OUT
    return FeedLine(
        address=f"{address}{sequence}/",
        iso=occurred_at.astimezone(zone).isoformat(timespec="minutes"),
        time=clock(occurred_at, zone, now),
        icon=icon,
        tone=tone,
        summary=summary if len(summary) <= CUT_AT else f"{summary[:CUT_AT].rsplit(' ', 1)[0]} ...",
        by=f"{actor}, automated" if is_automated else actor,
        is_fresh=now - recorded_at < FRESH,
    )

"""The newest lines of the timeline, as the overview shows them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import F, Q

from runbooks.incidents.models import Incident
from runbooks.presentation import clock
from runbooks.timeline.marks import mark_of
from runbooks.timeline.models import TimelineEvent

LINES = 9
FRESH = timedelta(minutes=5)
CUT_AT = 220


@dataclass(frozen=True, slots=True)
class FeedLine:
    sequence: int
    iso: str
    time: str
    icon: str
    tone: str
    summary: str
    by: str
    is_fresh: bool


def feed(incident: Incident, now: datetime) -> list[FeedLine]:
    """One query: the newest entries, of a burst its first."""
    rows = (
        TimelineEvent.objects.filter(incident_id=incident.pk)
        .filter(Q(burst__isnull=True) | Q(burst=F("sequence")))
        .order_by("-occurred_at", "-sequence")
        .values_list("sequence", "occurred_at", "recorded_at", "kind", "lane", "summary", "actor", "is_automated")[
            :LINES
        ]
    )
    return [_line(row, incident.zone, now) for row in rows]


def _line(row: tuple[int, datetime, datetime, str, str, str, str, bool], zone: ZoneInfo, now: datetime) -> FeedLine:
    sequence, occurred_at, recorded_at, kind, lane, summary, actor, is_automated = row
    icon, tone = mark_of(kind, lane)
    return FeedLine(
        sequence=sequence,
        iso=occurred_at.astimezone(zone).isoformat(timespec="minutes"),
        time=clock(occurred_at, zone, now),
        icon=icon,
        tone=tone,
        summary=summary if len(summary) <= CUT_AT else f"{summary[:CUT_AT].rsplit(' ', 1)[0]} ...",
        by=f"{actor}, automated" if is_automated else actor,
        is_fresh=now - recorded_at < FRESH,
    )

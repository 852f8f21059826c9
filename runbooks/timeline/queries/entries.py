"""Single entries, the key events, and how many entries an hour holds."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from runbooks.errors import NotFoundError
from runbooks.timeline.models import Pin, TimelineEvent

KEY_EVENTS = 40
QUARTER = timedelta(minutes=15)
COUNTS = "SELECT starts_at, entries FROM runbooks_timelinebin WHERE incident_id = %s AND starts_at = ANY(%s)"
CHAIN_OF_CORRECTIONS = """
WITH RECURSIVE chain AS (
    SELECT sequence FROM runbooks_timelineevent WHERE incident_id = %s AND corrects = %s
    UNION
    SELECT event.sequence FROM runbooks_timelineevent event
    JOIN chain ON event.incident_id = %s AND event.corrects = chain.sequence
)
SELECT sequence FROM chain
"""


class KeyEvent(NamedTuple):
    sequence: int
    occurred_at: datetime
    precision: str
    summary: str


def after(incident_id: UUID, sequence: int, limit: int = 50) -> list[TimelineEvent]:
    """The entries that follow this number, in order: what somebody who has seen up to it has missed."""
    later = TimelineEvent.objects.filter(incident_id=incident_id, sequence__gt=sequence)
    return list(later.order_by("sequence")[:limit])


def entry(incident_id: UUID, sequence: int) -> TimelineEvent:
    """One entry of the incident by its number; NotFoundError where there is none."""
    event = TimelineEvent.objects.filter(incident_id=incident_id, sequence=sequence).first()
    if event is None:
        raise NotFoundError(f"There is no entry #{sequence} in this incident.")
    return event


def corrections(incident_id: UUID, sequence: int) -> list[TimelineEvent]:
    """What corrects this entry, and what corrects that, the newest last. Two queries, however long the chain."""
    with connection.cursor() as cursor:
        cursor.execute(CHAIN_OF_CORRECTIONS, [incident_id, sequence, incident_id])
        numbers = [number for (number,) in cursor.fetchall()]
    later = TimelineEvent.objects.filter(incident_id=incident_id, sequence__in=numbers)
    return list(later.order_by("sequence"))


def key_events(incident_id: UUID) -> list[KeyEvent]:
    """The pinned entries in order of time; the newest KEY_EVENTS of them."""
    fields = ("event__sequence", "event__occurred_at", "event__occurred_precision", "event__summary")
    newest = Pin.objects.filter(incident_id=incident_id).order_by("-event__occurred_at", "-event__sequence")
    return [KeyEvent._make(row) for row in reversed(newest.values_list(*fields)[:KEY_EVENTS])]


def hour_counts(incident_id: UUID, hours: Sequence[datetime]) -> dict[datetime, int]:
    """How many entries each of these hours holds, from the quarters that `record` keeps."""
    quarters = {hour + quarter * QUARTER: hour for hour in hours for quarter in range(4)}
    counted: Counter[datetime] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, [incident_id, list(quarters)])
        for starts_at, entries in cursor.fetchall():
            counted[quarters[starts_at]] += entries
    return dict(counted)

"""Entries over time, for the swimlanes: at most BARS bins of the drawn range, lane by lane."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Max, Min

from runbooks.timeline.models import TimelineBin
from runbooks.timeline.queries.entries import QUARTER

BARS = 96
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Widths that people can name; the last covers eight years, and beyond that the bins become more.
WIDTHS = (
    QUARTER,
    2 * QUARTER,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
)
SUMS = """
SELECT date_bin(%s * interval '1 second', starts_at, %s), lane, sum(entries)::bigint FROM runbooks_timelinebin
WHERE incident_id = %s AND starts_at >= %s AND starts_at < %s GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts[lane][n]` is the number of entries from `start + n * width` on; "" is the lane of all of them."""

    start: datetime
    width: timedelta
    bars: int
    counts: dict[str, list[int]]

    @property
    def end(self) -> datetime:
        return self.start + self.bars * self.width

    def begins(self, bar: int) -> datetime:
        return self.start + bar * self.width


def extent(incident_id: UUID) -> tuple[datetime, datetime] | None:
    """From the first entry's quarter of an hour to the end of the last one's; None where there is no entry."""
    ends = TimelineBin.objects.filter(incident_id=incident_id).aggregate(first=Min("starts_at"), last=Max("starts_at"))
    if ends["first"] is None:
        return None
    return ends["first"], ends["last"] + QUARTER


def histogram(incident_id: UUID, start: datetime, end: datetime, zone: ZoneInfo) -> Histogram:
    """One query over the bins that `record` keeps, never over the entries."""
    width = next((width for width in WIDTHS if _bars(start, end, width, zone) <= BARS), WIDTHS[-1])
    first = aligned(start, width, zone)
    bars = _bars(start, end, width, zone)
    counts: dict[str, list[int]] = {"": [0] * bars}
    with connection.cursor() as cursor:
        cursor.execute(SUMS, [int(width.total_seconds()), first, incident_id, first, first + bars * width])
        for starts_at, lane, entries in cursor.fetchall():
            bar = (starts_at - first) // width
            counts.setdefault(lane, [0] * bars)[bar] += entries
            counts[""][bar] += entries
    return Histogram(first, width, bars, counts)


def aligned(moment: datetime, width: timedelta, zone: ZoneInfo) -> datetime:
    """The beginning of the moment's bin; bins are counted from the zone's midnight, to begin on full hours."""
    local = moment.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    if width >= DAY:
        return midnight
    return midnight + (moment - midnight) // width * width


def _bars(start: datetime, end: datetime, width: timedelta, zone: ZoneInfo) -> int:
    return max(1, -((aligned(start, width, zone) - end) // width))

"""The swimlanes of the timeline page: what is drawn, and the days it can be narrowed to."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from runbooks.incidents.models import Incident
from runbooks.timeline.histogram import DAY, extent, histogram
from runbooks.timeline.queries import Filter
from runbooks.timeline.queries.entries import QUARTER
from runbooks.timeline.swimlanes import draw

# More days than these are reached by the day before and after.
DAY_LINKS = 7


def lanes(incident: Incident, wanted: Filter, drawn: str) -> dict[str, object]:
    """The swimlanes over the whole incident, a day of it (`drawn` is its date), or the chosen range ("range").

    The context of the template: swimlanes (None without entries), drawn, days.
    """
    drawing = _drawing(incident.pk, incident.head_hash, incident.time_zone, drawn, wanted.start, wanted.end)
    days = _days(drawing.whole, drawn, incident.zone) if drawing else []
    return {"swimlanes": drawing, "drawn": drawn, "days": days}


@dataclass(frozen=True, slots=True)
class Drawing:
    """The plot and its table as HTML, how long a bar is, and the incident's first and last moment."""

    plot: SafeString
    table: SafeString
    bar: str
    whole: tuple[datetime, datetime]


@lru_cache(maxsize=128)
def _drawing(
    incident_id: UUID, head_hash: str, time_zone: str, drawn: str, start: datetime | None, end: datetime | None
) -> Drawing | None:
    """Kept until the next entry: nothing but entries changes the bins, and each entry has another hash. Two queries."""
    whole, zone = extent(incident_id), ZoneInfo(time_zone)
    if whole is None:
        return None
    begins, ends = whole
    if drawn == "range" and (start or end):
        begins, ends = start or begins, end or ends
    elif (day := _day(drawn, zone)) is not None:
        begins, ends = day
    counted = histogram(incident_id, begins, max(ends, begins + QUARTER), zone)
    swimlanes = draw(counted, (start, end), zone)
    context = {"swimlanes": swimlanes, "is_chosen": bool(start or end)}
    plot = render_to_string("room/_lanes_plot.html", context)
    return Drawing(plot, render_to_string("room/_lanes_table.html", context), swimlanes.width_words, whole)


def _day(text: str, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    try:
        local = datetime.fromisoformat(text).replace(hour=0, minute=0, tzinfo=zone)
        return local.astimezone(UTC), (local + timedelta(days=1)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _days(whole: tuple[datetime, datetime], drawn: str, zone: ZoneInfo) -> list[tuple[str, str]]:
    """Days to draw by themselves: [(value of `draw`, words)], around the drawn one where there are many."""
    first, last = (moment.astimezone(zone).date() for moment in (whole[0], whole[1] - timedelta(seconds=1)))
    count = (last - first).days + 1
    if count < 2:
        return []
    chosen = _day(drawn, zone)
    middle = (chosen[0].astimezone(zone).date() - first).days if chosen else count - 1
    begin = min(max(0, middle - DAY_LINKS // 2), max(0, count - DAY_LINKS))
    days = [first + DAY * n for n in range(begin, min(count, begin + DAY_LINKS))]
    return [(day.isoformat(), f"{day:%a} {day.day} {day:%b}") for day in days]

"""The histogram and how it is drawn."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from runbooks.incidents.models import Incident
from runbooks.timeline.histogram import BARS, QUARTER, aligned, extent, histogram
from runbooks.timeline.models import Lane
from runbooks.timeline.queries import hour_counts
from runbooks.timeline.swimlanes import Swimlanes, draw
from tests.factories import make_entry
from tests.timeline.entries import fill_timeline

pytestmark = pytest.mark.django_db
LONDON = ZoneInfo("Europe/London")
START = datetime(2026, 6, 23, 8, 0, tzinfo=UTC)


def drawing(incident: Incident, start: datetime | None = None, end: datetime | None = None) -> Swimlanes:
    whole = extent(incident.pk)
    assert whole is not None
    return draw(histogram(incident.pk, *whole, LONDON), (start, end), LONDON)


def test_an_incident_without_entries_has_no_extent(incident: Incident) -> None:
    assert extent(incident.pk) is None


def test_each_entry_is_counted_once_in_its_lane_and_in_all(incident: Incident) -> None:
    for minute, lane in ((0, Lane.NOTE), (14, Lane.ACTION), (15, Lane.ACTION), (59, Lane.DECISION)):
        make_entry(incident, at=START + timedelta(minutes=minute), lane=lane)
    whole = extent(incident.pk)
    assert whole == (START, START + timedelta(hours=1))
    found = histogram(incident.pk, *whole, LONDON)
    assert found.counts == {"": [2, 1, 0, 1], "note": [1, 0, 0, 0], "action": [1, 1, 0, 0], "decision": [0, 0, 0, 1]}
    assert hour_counts(incident.pk, [START, START - timedelta(hours=1)]) == {START: 4}


@pytest.mark.parametrize(
    ("length", "width"),
    [
        (timedelta(hours=1), QUARTER),
        (timedelta(hours=23), QUARTER),
        (timedelta(hours=47), 2 * QUARTER),
        (timedelta(days=4), timedelta(hours=1)),
        (timedelta(days=5), timedelta(hours=2)),
        (timedelta(days=30), timedelta(hours=12)),
        (timedelta(days=400), timedelta(days=7)),
    ],
)
def test_bins_are_as_narrow_as_the_range_allows(incident: Incident, length: timedelta, width: timedelta) -> None:
    found = histogram(incident.pk, START, START + length, LONDON)
    assert (found.width, found.bars <= BARS) == (width, True)
    assert found.start <= START
    assert START + length <= found.end


def test_the_sum_of_the_bars_is_the_number_of_entries(incident: Incident) -> None:
    fill_timeline(incident, 3000, START, timedelta(minutes=7))
    whole = extent(incident.pk)
    assert whole is not None
    found = histogram(incident.pk, *whole, LONDON)
    assert sum(found.counts[""]) == 3000
    assert sum(sum(counts) for lane, counts in found.counts.items() if lane) == 3000


def test_wide_bins_begin_at_local_midnight_and_full_hours() -> None:
    moment = datetime(2026, 6, 23, 8, 50, tzinfo=UTC)
    assert aligned(moment, timedelta(hours=3), LONDON) == datetime(2026, 6, 23, 8, 0, tzinfo=UTC)
    assert aligned(moment, timedelta(days=1), LONDON) == datetime(2026, 6, 22, 23, 0, tzinfo=UTC)
    nepal = ZoneInfo("Asia/Kathmandu")
    assert aligned(moment, timedelta(hours=1), nepal) == datetime(2026, 6, 23, 8, 15, tzinfo=UTC)


def test_bars_of_the_chosen_range_are_set_apart(incident: Incident) -> None:
    for minute in range(0, 120, 15):
        make_entry(incident, at=START + timedelta(minutes=minute), lane=Lane.ACTION)
    lanes = drawing(incident, START + timedelta(minutes=30), START + timedelta(minutes=60))
    assert (lanes.first, lanes.last, lanes.bars) == (2, 4, 8)
    # Two bars in the lane of all entries and two in that of actions, of sixteen.
    assert (lanes.chosen_bars.count("M"), lanes.other_bars.count("M")) == (4, 12)
    assert "Chosen: Tue 23 Jun 2026 09:30 BST to Tue 23 Jun 2026 10:00 BST." in lanes.words


def test_the_handles_have_a_moment_for_each_edge_and_the_table_one_row_for_each_bar(incident: Incident) -> None:
    for minute in (0, 40):
        make_entry(incident, at=START + timedelta(minutes=minute), lane=Lane.CONTACT)
    lanes = drawing(incident)
    moments = lanes.moments.split("|")
    assert (moments[0], moments[-1], len(moments)) == ("2026-06-23 09:00", "2026-06-23 09:45", 4)
    assert [time for time, _ in lanes.table] == ["Tue 23 Jun 09:00", "Tue 23 Jun 09:30"]
    assert re.findall(r">(\d+)<", lanes.table[0][1]) == ["1", "0", "0", "0", "1", "0"]
    assert "Busiest at Tue 23 Jun 2026 09:00 BST with 1 entry." in lanes.words


def test_ticks_stand_at_local_hours_across_a_change_of_the_clock(incident: Incident) -> None:
    found = histogram(incident.pk, datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC), LONDON)
    words = [tick.words for tick in draw(found, (None, None), LONDON).ticks]
    assert words == ["12:00", "18:00", "Sun 29", "06:00", "12:00", "18:00", "Mon 30", "06:00", "12:00"]

"""The geometry of the two charts."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.affected_accounts.queries import BurnUpPoint, GroupCounts
from runbooks.room.charts import FILLS, MOST_TICKS, BurnUp, brackets, burn_up, segments, stairs

START = datetime(2017, 6, 23, 8, 51, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")


def share(text: str) -> float:
    return float(text.removesuffix("%"))


@given(st.lists(st.integers(0, 9000), min_size=6, max_size=6))
def test_segments_fill_the_bar_in_order_and_each_is_wide_enough_for_its_number(counts: list[int]) -> None:
    drawn = segments(GroupCounts(*counts))
    assert [part.count for part in drawn] == [count for count in counts if count]
    if drawn:
        assert share(drawn[0].x) == 0
        assert share(drawn[-1].x) + share(drawn[-1].width) == pytest.approx(100, abs=0.1)
        assert all(share(part.width) > 2.5 for part in drawn)
    assert [part.fill for part in drawn] == [fill for fill, count in zip(FILLS, counts, strict=True) if count]


def test_brackets_add_up_what_they_span() -> None:
    found = brackets(segments(GroupCounts(12, 6, 33, 34, 17, 41)))
    assert [(brace.count, brace.words) for brace in found] == [(12, ""), (90, "compromised"), (41, "not affected")]


def chart(*counts: tuple[int, int, int], hours: float = 27) -> BurnUp | None:
    points = [
        BurnUpPoint(START + timedelta(hours=number), compromised, contained, reset, 0)
        for number, (compromised, contained, reset) in enumerate(counts, start=1)
    ]
    drawn = stairs(points, START)
    return burn_up(drawn, START, START + timedelta(hours=hours), LONDON) if drawn else None


def test_nothing_confirmed_is_no_chart() -> None:
    assert stairs([], START) is None
    assert chart((0, 0, 0)) is None


def test_lines_step_at_the_moment_of_the_fact_and_end_now() -> None:
    drawn = chart((50, 0, 0), (100, 50, 25), hours=4)
    assert drawn is not None
    assert (drawn.width, drawn.confirmed) == (14400, "M0 300H3600V150.0H7200V0.0H14400")
    assert drawn.area == f"{drawn.confirmed}V150.0H7200V300.0Z"
    assert (drawn.gap, drawn.widest) == (50, 50)
    assert [tick.words for tick in drawn.y_ticks] == ["0", "25", "50", "75", "100"]


def test_labels_at_the_end_of_the_lines_never_cover_each_other() -> None:
    drawn = chart((90, 90, 90))
    assert drawn is not None
    places = [share(ending.y) for ending in drawn.endings]
    assert all(later - earlier >= 6 for earlier, later in pairwise(places))


@given(st.floats(0.1, 24 * 60))
def test_the_time_axis_has_few_labels_whatever_the_length(hours: float) -> None:
    drawn = chart((4, 0, 0), hours=max(hours, 1.1))
    assert drawn is not None
    assert len(drawn.x_ticks) <= MOST_TICKS + 4
    places = [share(tick.place) for tick in drawn.x_ticks]
    assert places == sorted(places)


def test_the_table_keeps_the_last_point_and_is_short() -> None:
    drawn = chart(*[(number, 0, 0) for number in range(1, 100)], hours=100)
    assert drawn is not None
    assert len(drawn.table) <= 12
    assert drawn.table[-1].compromised == 99

"""When something is said: by lengths of time alone, whatever clocks on walls do."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from runbooks.reminders.stages import DAY, GRACE, Stage, deadline_stage, request_stage, step_stage

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LONDON = ZoneInfo("Europe/London")
BEGAN = datetime(2026, 6, 23, 8, 0, tzinfo=UTC)
# Begun an hour before midnight, before the clocks go forward, and before they go back.
NIGHTS = [
    datetime(2026, 6, 23, 23, 0, tzinfo=LONDON),
    datetime(2026, 3, 28, 23, 0, tzinfo=LONDON),
    datetime(2026, 10, 24, 23, 0, tzinfo=LONDON),
]


def stage(now: datetime, *, hours: float = 4, severity: int = 2, began: datetime = BEGAN) -> Stage | None:
    return step_stage(began, began + hours * HOUR, began, severity, now)


@pytest.mark.parametrize("began", NIGHTS, ids=["midnight", "spring", "autumn"])
def test_a_step_comes_due_after_its_length_of_time_over_midnight_and_both_changes_of_the_clock(began: datetime) -> None:
    began = began.astimezone(UTC)
    due = began + 4 * HOUR
    assert stage(due - HOUR - MINUTE, began=began) is None
    assert stage(due - HOUR, began=began) == Stage("step.due_soon", due - HOUR)
    assert stage(due - MINUTE, began=began) == Stage("step.due_soon", due - HOUR)
    assert stage(due, began=began) == Stage("step.due", due)
    assert stage(due + GRACE - MINUTE, began=began) == Stage("step.due", due)
    assert stage(due + GRACE, began=began) == Stage("step.overdue", due + GRACE)


def test_a_step_of_half_an_hour_is_said_to_be_due_soon_a_quarter_before() -> None:
    assert stage(BEGAN + 14 * MINUTE, hours=0.5) is None
    assert stage(BEGAN + 15 * MINUTE, hours=0.5) == Stage("step.due_soon", BEGAN + 15 * MINUTE)


def test_a_step_that_was_due_as_it_was_added_is_not_due_soon() -> None:
    assert stage(BEGAN - MINUTE, hours=0) is None
    assert stage(BEGAN, hours=0) == Stage("step.due", BEGAN)


@pytest.mark.parametrize(("severity", "gap"), [(1, HOUR), (2, 4 * HOUR), (4, 4 * HOUR)])
def test_overdue_is_said_again_no_sooner_than_its_gap_and_for_all_steps_at_one_time(
    severity: int, gap: timedelta
) -> None:
    for hours in (0.5, 1.25, 4):
        moments = sorted(overdue_moments(hours, severity, over=DAY))
        assert moments[0] == BEGAN + hours * HOUR + GRACE
        assert all(later - earlier >= gap for earlier, later in pairwise(moments))
        assert all((moment - BEGAN) % gap == timedelta() for moment in moments[1:])
        assert len(moments) > 3


def test_after_a_day_overdue_is_said_once_a_day() -> None:
    moments = sorted(overdue_moments(1, 1, over=6 * DAY))
    late = [moment for moment in moments if moment >= BEGAN + 2 * DAY]
    assert [later - earlier for earlier, later in pairwise(late)] == [DAY] * (len(late) - 1)
    assert len(late) == 5


def overdue_moments(hours: float, severity: int, *, over: timedelta) -> set[datetime]:
    """What is said when somebody looks every five minutes and says nothing that is not later than what was said."""
    said: list[datetime] = []
    now = BEGAN + hours * HOUR + GRACE
    while now < BEGAN + hours * HOUR + GRACE + over:
        found = stage(now, hours=hours, severity=severity)
        if found and (not said or found.at > said[-1]):
            said.append(found.at)
        now += 5 * MINUTE
    return set(said)


def test_a_deadline_is_said_at_half_and_at_three_quarters_and_then_left_to_its_step() -> None:
    due = BEGAN + 72 * HOUR
    found = {hours: deadline_stage(BEGAN, due, BEGAN + hours * HOUR) for hours in (35, 36, 53, 54, 71, 72)}
    half, most = Stage("clock.half", BEGAN + 36 * HOUR), Stage("clock.three_quarters", BEGAN + 54 * HOUR)
    assert found == {35: None, 36: half, 53: half, 54: most, 71: most, 72: None}


def test_a_deadline_without_time_says_nothing() -> None:
    assert deadline_stage(BEGAN, BEGAN, BEGAN - MINUTE) is None


@pytest.mark.parametrize("asked", NIGHTS, ids=["midnight", "spring", "autumn"])
def test_a_request_is_said_to_wait_from_half_its_time_until_it_expires(asked: datetime) -> None:
    asked = asked.astimezone(UTC) + 110 * MINUTE
    expires = asked + 30 * MINUTE
    assert request_stage(asked, expires, asked + 14 * MINUTE) is None
    assert request_stage(asked, expires, asked + 15 * MINUTE) == Stage("action.waiting", asked + 15 * MINUTE)
    assert request_stage(asked, expires, expires) is None

"""Quiet hours by the clock of a zone."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from runbooks.contacts.queries import Quiet

LONDON = ZoneInfo("Europe/London")
NIGHT = Quiet(time(22), time(7), LONDON)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2026-06-10T21:59:59+01:00", None),
        ("2026-06-10T22:00:00+01:00", "2026-06-11T06:00:00+00:00"),
        ("2026-06-10T23:59:59+01:00", "2026-06-11T06:00:00+00:00"),
        ("2026-06-11T00:00:00+01:00", "2026-06-11T06:00:00+00:00"),
        ("2026-06-11T06:59:59+01:00", "2026-06-11T06:00:00+00:00"),
        ("2026-06-11T07:00:00+01:00", None),
        ("2026-01-10T22:30:00+00:00", "2026-01-11T07:00:00+00:00"),
    ],
)
def test_a_night_goes_over_midnight(moment: str, end: str | None) -> None:
    assert NIGHT.ends_after(at(moment)) == (at(end) if end else None)


def test_the_end_is_told_in_utc() -> None:
    end = NIGHT.ends_after(at("2026-06-10T23:00:00+01:00"))
    assert end is not None
    assert end.tzinfo == UTC


def test_hours_of_one_day_end_the_same_day() -> None:
    siesta = Quiet(time(13), time(15), ZoneInfo("Europe/Madrid"))
    assert siesta.ends_after(at("2026-06-10T13:30:00+02:00")) == at("2026-06-10T15:00:00+02:00")
    assert siesta.ends_after(at("2026-06-10T12:59:00+02:00")) is None
    assert siesta.ends_after(at("2026-06-10T15:00:00+02:00")) is None


def test_the_night_summer_time_begins_is_an_hour_shorter_and_ends_by_the_clock() -> None:
    # 29 March 2026, 01:00 UTC: 01:00 becomes 02:00.
    assert NIGHT.ends_after(at("2026-03-28T22:00:00+00:00")) == at("2026-03-29T06:00:00+00:00")
    assert NIGHT.ends_after(at("2026-03-29T05:59:00+00:00")) == at("2026-03-29T06:00:00+00:00")
    assert NIGHT.ends_after(at("2026-03-29T06:00:00+00:00")) is None


def test_the_night_summer_time_ends_is_an_hour_longer_and_ends_by_the_clock() -> None:
    # 25 October 2026, 01:00 UTC: 02:00 becomes 01:00.
    assert NIGHT.ends_after(at("2026-10-24T21:00:00+00:00")) == at("2026-10-25T07:00:00+00:00")
    assert NIGHT.ends_after(at("2026-10-25T06:30:00+00:00")) == at("2026-10-25T07:00:00+00:00")
    assert NIGHT.ends_after(at("2026-10-24T20:59:00+00:00")) is None


def test_an_end_that_the_clock_leaves_out_is_the_moment_of_the_jump() -> None:
    quiet = Quiet(time(22), time(1, 30), LONDON)
    assert quiet.ends_after(at("2026-03-29T00:59:59+00:00")) == at("2026-03-29T01:00:00+00:00")
    assert quiet.ends_after(at("2026-03-29T01:00:00+00:00")) is None


def test_a_beginning_that_the_clock_leaves_out_is_the_moment_of_the_jump() -> None:
    quiet = Quiet(time(1, 30), time(6), LONDON)
    assert quiet.ends_after(at("2026-03-29T00:59:59+00:00")) is None
    assert quiet.ends_after(at("2026-03-29T01:00:00+00:00")) == at("2026-03-29T05:00:00+00:00")


def test_hours_that_the_clock_leaves_out_are_no_hours() -> None:
    quiet = Quiet(time(1, 15), time(1, 45), LONDON)
    for moment in ("2026-03-29T00:30:00+00:00", "2026-03-29T00:59:59+00:00", "2026-03-29T01:00:00+00:00"):
        assert quiet.ends_after(at(moment)) is None


def test_an_end_that_the_clock_shows_twice_is_its_second_showing() -> None:
    quiet = Quiet(time(22), time(1, 30), LONDON)
    # First 01:15, 01:45 between the two, second 01:15: nobody is woken in between.
    for moment in ("2026-10-25T00:15:00+00:00", "2026-10-25T00:45:00+00:00", "2026-10-25T01:15:00+00:00"):
        assert quiet.ends_after(at(moment)) == at("2026-10-25T01:30:00+00:00")
    assert quiet.ends_after(at("2026-10-25T01:30:00+00:00")) is None


def test_a_beginning_that_the_clock_shows_twice_is_its_first_showing() -> None:
    quiet = Quiet(time(1, 30), time(6), LONDON)
    assert quiet.ends_after(at("2026-10-25T00:29:59+00:00")) is None
    for moment in ("2026-10-25T00:30:00+00:00", "2026-10-25T01:05:00+00:00"):
        assert quiet.ends_after(at(moment)) == at("2026-10-25T06:00:00+00:00")


@pytest.mark.parametrize(
    ("zone", "moment", "end"),
    [
        # Half an hour of summer time, on the other side of the world.
        ("Australia/Lord_Howe", "2026-04-04T22:30:00+11:00", "2026-04-05T07:00:00+10:30"),
        ("Australia/Lord_Howe", "2026-10-03T22:30:00+10:30", "2026-10-04T07:00:00+11:00"),
        # A whole day left out: 30 December 2011 never was.
        ("Pacific/Apia", "2011-12-29T22:30:00-10:00", "2011-12-31T00:00:00+14:00"),
        ("America/New_York", "2026-03-07T23:00:00-05:00", "2026-03-08T07:00:00-04:00"),
        ("Asia/Kathmandu", "2026-03-07T23:00:00+05:45", "2026-03-08T07:00:00+05:45"),
    ],
)
def test_every_zone_has_its_own_changes(zone: str, moment: str, end: str) -> None:
    assert Quiet(time(22), time(7), ZoneInfo(zone)).ends_after(at(moment)) == at(end)


@pytest.mark.parametrize("zone", ["Europe/London", "America/St_Johns", "Australia/Lord_Howe", "UTC", "Asia/Tehran"])
@pytest.mark.parametrize(("begins", "ends"), [(time(22), time(7)), (time(1, 30), time(1)), (time(9), time(17, 30))])
def test_an_end_lies_ahead_and_is_itself_outside(zone: str, begins: time, ends: time) -> None:
    quiet = Quiet(begins, ends, ZoneInfo(zone))
    for number in range(0, 366 * 24 * 60, 97):
        moment = datetime.fromtimestamp(1767225600 + number * 60, UTC)
        end = quiet.ends_after(moment)
        if end is not None:
            assert moment < end
            assert (end - moment).total_seconds() <= 25 * 3600

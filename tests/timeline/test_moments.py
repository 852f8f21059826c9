"""Moments as people write them, and as they are written for them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.timeline.models import Precision
from runbooks.timeline.moments import UnreadableMomentError, parse, written, written_in_full

LONDON = ZoneInfo("Europe/London")
# A Saturday, 11:42 BST.
NOW = datetime(2017, 6, 24, 10, 42, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("11:42", "2017-06-24 11:42"),
        ("9:05", "2017-06-24 09:05"),
        ("09.05", "2017-06-24 09:05"),
        ("23:50", "2017-06-23 23:50"),
        ("Fri 17:05", "2017-06-23 17:05"),
        ("friday, 17:05", "2017-06-23 17:05"),
        ("Sat 11:00", "2017-06-24 11:00"),
        ("Sat 23:00", "2017-06-17 23:00"),
        ("yesterday 08:45", "2017-06-23 08:45"),
        ("23 Jun 08:45", "2017-06-23 08:45"),
        ("23rd June 2017, 08:45", "2017-06-23 08:45"),
        ("Fri 23 Jun 08:45", "2017-06-23 08:45"),
        ("24 Dec 08:45", "2016-12-24 08:45"),
        ("23/06/2017 08:45", "2017-06-23 08:45"),
        ("23/06 08:45", "2017-06-23 08:45"),
        ("2017-06-23 08:45", "2017-06-23 08:45"),
        ("2017-06-23T08:45", "2017-06-23 08:45"),
        ("2017-06-23T08:45Z", "2017-06-23 09:45"),
        ("2017-06-23 08:45+02:00", "2017-06-23 07:45"),
        ("23 Jun 08:45 BST", "2017-06-23 08:45"),
        ("23 Jun 08:45 UTC", "2017-06-23 09:45"),
    ],
)
def test_a_moment_is_read_in_the_incidents_time(text: str, meant: str) -> None:
    assert f"{parse(text, LONDON, NOW).at.astimezone(LONDON):%Y-%m-%d %H:%M}" == meant


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("08:45", Precision.MINUTE),
        ("08:45:12", Precision.SECOND),
        ("now", Precision.SECOND),
        ("23 Jun", Precision.DAY),
        ("today", Precision.DAY),
    ],
)
def test_a_moment_is_as_exact_as_it_was_written(text: str, precision: Precision) -> None:
    assert parse(text, LONDON, NOW).precision == precision


def test_seconds_are_kept() -> None:
    assert parse("08:45:12", LONDON, NOW).at == datetime(2017, 6, 24, 7, 45, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "names no moment"),
        ("soon", "names no moment"),
        ("25:00", "no such time"),
        ("31 Feb 10:00", "no such day"),
        ("23 Foo 10:00", "names no month"),
        ("23 Jun 08:45 CET", "CET is not the time there"),
        ("2017-03-26 01:30", "never was"),
        ("2016-10-30 01:30", "came twice"),
    ],
)
def test_what_names_no_one_moment_is_refused_with_the_mend(text: str, why: str) -> None:
    with pytest.raises(UnreadableMomentError, match=why):
        parse(text, LONDON, NOW)


def test_the_hour_that_came_twice_is_told_apart_by_its_zone() -> None:
    summer, winter = parse("2016-10-30 01:30 BST", LONDON, NOW), parse("2016-10-30 01:30 GMT", LONDON, NOW)
    assert (winter.at - summer.at).total_seconds() == 3600


@given(
    st.datetimes(datetime(2015, 1, 1), datetime(2018, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001  # bounds
    st.sampled_from(["Europe/London", "America/St_Johns", "Asia/Kathmandu", "Pacific/Auckland", "UTC"]),
)
def test_what_is_written_reads_back_as_the_same_minute(moment: datetime, name: str) -> None:
    zone, minute = ZoneInfo(name), moment.replace(second=0, microsecond=0)
    assert parse(written_in_full(minute, zone), zone, NOW).at == minute
    assert parse(written(minute, zone, NOW), zone, NOW).at == minute

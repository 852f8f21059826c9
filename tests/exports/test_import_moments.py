"""When a line of a file says that something happened: read, or refused with the reason; never guessed."""

from datetime import UTC, datetime, timedelta

import pytest

from runbooks.exports.importing.moments import BadMomentError, Clockwork, read_moment
from runbooks.timeline.models import Precision

LONDON = Clockwork("Europe/London")
AT = datetime(2017, 6, 23, 16, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time", "zone", "at", "precision"),
    [
        ("2017-06-23T16:05:00Z", "", "", AT, "second"),
        ("2017-06-23T17:05:00.250000+01:00", "", "", AT + timedelta(milliseconds=250), "second"),
        ("2017-06-23 17:05:00.2+01", "", "", AT + timedelta(milliseconds=200), "second"),
        ("2017-06-23T17:05+0100", "", "", AT, "minute"),
        ("20170623T160500Z", "", "", AT, "second"),
        ("2017-06-23T10:35:00-05:30", "", "", AT, "second"),
        ("2017-06-23 17:05", "", "", AT, "minute"),
        ("2017/06/23 5:05 pm", "", "", AT, "minute"),
        ("23 June 2017 17:05", "", "", AT, "minute"),
        ("Fri, 23 Jun 2017 16:05:00 +0000", "", "", AT, "second"),
        ("2017-06-23", "17:05", "", AT, "minute"),
        ("2017-06-23", "", "", datetime(2017, 6, 22, 23, tzinfo=UTC), "day"),
        ("23/06/2017 17:05", "", "", AT, "minute"),
        ("06/23/2017", "16:05:00", "UTC", AT, "second"),
        ("2017-06-23 12:05", "", "America/New_York", AT, "minute"),
        ("2017-06-23 12:05 AM", "", "UTC", datetime(2017, 6, 23, 0, 5, tzinfo=UTC), "minute"),
        ("1498233900", "", "", AT, "second"),
        ("1498233900.25", "", "", AT + timedelta(milliseconds=250), "second"),
        ("1498233900250", "", "", AT + timedelta(milliseconds=250), "second"),
        ("1498233900250001", "", "", AT + timedelta(microseconds=250001), "second"),
        ("1498233900250001999", "", "", AT + timedelta(microseconds=250001), "second"),
    ],
)
def test_times_of_many_tools_are_read(text: str, time: str, zone: str, at: datetime, precision: str) -> None:
    read = read_moment(text, time, zone, LONDON)
    assert (read.at, read.precision) == (at, Precision(precision))


@pytest.mark.parametrize(
    ("text", "time", "zone", "reason"),
    [
        ("", "", "", "has no time"),
        ("soon", "", "", "cannot be read"),
        ("00/00/0000", "--:--:--", "UTC", "cannot be read"),
        ("2017-02-30 10:00", "", "", "no such day"),
        ("2017-06-23 25:00", "", "", "no such day or time"),
        ("2017-06-23 13:00 pm", "", "", "no such time"),
        ("2017-06-23 10:00", "", "Mars/Olympus", "not known"),
        ("2017-06-23 10:00", "", "../../etc/passwd", "not known"),
        ("2017-06-23 10:00", "", "Europe", "not known"),
        ("2017-06-23T10:00+99:00", "", "", "no clock has"),
        ("03/04/2017 10:00", "", "", "may be two"),
        ("42909.5", "", "", "names no moment"),
        ("1066-10-14 10:00", "", "", "outside 1970"),
        ("2017-03-26 01:30", "", "", "never was"),
        ("2017-10-29 01:30", "", "", "came twice, as the clocks went back: 2017-10-29 01:30 (BST or GMT)"),
    ],
)
def test_what_names_no_moment_or_two_is_refused(text: str, time: str, zone: str, reason: str) -> None:
    with pytest.raises(BadMomentError) as refused:
        read_moment(text, time, zone, LONDON)
    assert reason in str(refused.value)


def test_a_time_without_a_zone_waits_for_one() -> None:
    with pytest.raises(BadMomentError, match="without a zone"):
        read_moment("2017-06-23 17:05", "", "", Clockwork())
    assert read_moment("2017-06-23 17:05", "", "", LONDON).zone == "Europe/London"
    assert read_moment("2017-06-23 17:05Z", "", "", LONDON).zone == ""


def test_which_of_two_times_is_meant_can_be_said() -> None:
    first = read_moment("2017-10-29 01:30", "", "", Clockwork("Europe/London", twice="first"))
    second = read_moment("2017-10-29 01:30", "", "", Clockwork("Europe/London", twice="second"))
    assert second.at - first.at == timedelta(hours=1)
    assert first.was_twice
    assert not read_moment("2017-10-29 01:30+01:00", "", "", LONDON).was_twice


def test_the_order_of_day_and_month_can_be_said() -> None:
    day_first = read_moment("03/04/2017 10:00Z", "", "", Clockwork(day_order="dmy"))
    month_first = read_moment("03/04/2017 10:00Z", "", "", Clockwork(day_order="mdy"))
    assert (day_first.at.month, month_first.at.month) == (4, 3)
    with pytest.raises(BadMomentError, match="no such day"):
        read_moment("23/04/2017 10:00Z", "", "", Clockwork(day_order="mdy"))

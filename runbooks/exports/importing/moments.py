"""When a line of a file says that something happened. What could mean two moments is refused, never guessed."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from runbooks.presentation import zone_name
from runbooks.timeline.models import Precision
from runbooks.timeline.moments import MONTHS, YEARS

YEAR_FIRST: Final = re.compile(r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})(?:[T ,]+(?P<rest>\S.*))?")
YEAR_LAST: Final = re.compile(r"(?P<one>\d{1,2})([-/.])(?P<two>\d{1,2})\2(?P<year>\d{4})(?:[T ,]+(?P<rest>\S.*))?")
NAMED: Final = re.compile(
    r"(?:[a-z]{3,9},?\s+)?(?P<day>\d{1,2})(?:st|nd|rd|th)?[ -](?P<name>[a-z]{3,9})[ -](?P<year>\d{4})"
    r"(?:[T ,]+(?P<rest>\S.*))?",
    re.I,
)
COMPACT: Final = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(.*)")
TIME: Final = re.compile(
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d+))?)?\s*(?P<half>[ap]\.?m\.?)?"
    r"\s*(?P<zone>\S+)?",
    re.I,
)
OFFSET: Final = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?", re.I)
NUMBER: Final = re.compile(r"\d{5,19}(\.\d{1,9})?")
# Seconds, thousandths, millionths and milliardths since 1970, told apart by their size: from 1973 to 2099.
SCALES: Final = ((10**8, 0), (10**11, 3), (10**14, 6), (10**17, 9))
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class BadMomentError(ValueError):
    """Completes "Line 12 ..."."""


@dataclass(frozen=True, slots=True)
class Clockwork:
    """What the file leaves open and somebody stated. `zone` is an IANA name or empty; `twice` first, second or empty:
    which of two is meant when the clocks go back; `day_order` dmy, mdy or empty."""

    zone: str = ""
    twice: str = ""
    day_order: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """The moment, how exactly the file knows it, and the zone it was taken in: empty where the file names it."""

    at: datetime
    precision: Precision
    zone: str = ""
    was_twice: bool = False


def read_moment(text: str, time: str, zone: str, clockwork: Clockwork) -> Read:
    """The moment of a line's texts: its day or whole moment, its time and zone where these stand apart."""
    text, time = " ".join(text.split()), " ".join(time.split())
    if not text:
        raise BadMomentError("has no time")
    if NUMBER.fullmatch(text) and not time:
        return Read(_counted(text), Precision.SECOND)
    day, rest = _day(text, clockwork.day_order)
    found = TIME.fullmatch(rest or time) if rest or time else None
    if (rest or time) and found is None:
        raise BadMomentError(f"has a time that cannot be read: {_short(f'{text} {time}')}")
    naive, precision = _of_day(day, found, text)
    said = (found["zone"] if found else None) or zone.strip()
    if said:
        return _placed(naive, precision, zone_of(said), Clockwork(twice=clockwork.twice), "")
    if not clockwork.zone:
        raise BadMomentError(f"has a time without a zone: {_short(text)}. Choose the zone of such times")
    return _placed(naive, precision, zone_of(clockwork.zone), clockwork, clockwork.zone)


def zone_of(said: str) -> tzinfo:
    """Z, UTC, +01:00, +0100, +01, UTC+1 or a name such as Europe/London."""
    if said.upper() in {"Z", "UTC", "GMT"}:
        return UTC
    if found := OFFSET.fullmatch(said):
        sign, hours, minutes = found.groups(default="0")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        if offset > timedelta(hours=14) or int(minutes) > 59:
            raise BadMomentError(f"has an offset that no clock has: {_short(said)}")
        return timezone(offset if sign == "+" else -offset)
    if said not in _zones():
        raise BadMomentError(f"names a time zone that is not known: {_short(said)}")
    return ZoneInfo(said)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _counted(text: str) -> datetime:
    number = Decimal(text)
    places = next((places for least, places in reversed(SCALES) if number >= least), None)
    if places is None:
        raise BadMomentError(
            f"has a number for its time that names no moment after 1973: {text}. Write the day in full"
        )
    at = EPOCH + timedelta(microseconds=int(number.scaleb(6 - places)))
    if at.year not in YEARS:
        raise BadMomentError(f"lies outside {YEARS[0]} to {YEARS[-1]}: {text}")
    return at


def _day(text: str, order: str) -> tuple[tuple[int, int, int], str]:
    """((year, month, day), what follows)"""
    if found := COMPACT.fullmatch(text):
        year, month, day, *rest, zone = found.groups()
        return (int(year), int(month), int(day)), f"{':'.join(rest)}{zone}"
    if found := YEAR_FIRST.fullmatch(text):
        return (int(found["year"]), int(found["month"]), int(found["day"])), found["rest"] or ""
    if found := NAMED.fullmatch(text):
        name = found["name"][:3].lower()
        if name in MONTHS:
            return (int(found["year"]), MONTHS.index(name) + 1, int(found["day"])), found["rest"] or ""
    if found := YEAR_LAST.fullmatch(text):
        one, two = int(found["one"]), int(found["two"])
        if not order and one != two and one <= 12 and two <= 12:
            raise BadMomentError(f"has a day that may be two: {_short(text)}. Choose the order of day and month")
        # Where only one order makes a day and none was stated, that is the one.
        is_month_first = order == "mdy" or (not order and two > 12)
        return (int(found["year"]), *((one, two) if is_month_first else (two, one))), found["rest"] or ""
    raise BadMomentError(f"has a time that cannot be read: {_short(text)}")


def _of_day(day: tuple[int, int, int], time: "re.Match[str] | None", text: str) -> tuple[datetime, Precision]:
    hour = minute = second = micro = 0
    if time is not None:
        hour, minute, second = (int(time[part] or 0) for part in ("hour", "minute", "second"))
        micro = int((time["part"] or "")[:6].ljust(6, "0"))
        if time["half"]:
            if not 1 <= hour <= 12:
                raise BadMomentError(f"has no such time: {_short(text)}")
            hour = hour % 12 + (12 if time["half"][0] in "pP" else 0)
    try:
        naive = datetime(*day, hour, minute, second, micro)  # noqa: DTZ001  # its zone is found next
    except ValueError:
        raise BadMomentError(f"has no such day or time: {_short(text)}") from None
    if naive.year not in YEARS:
        raise BadMomentError(f"lies outside {YEARS[0]} to {YEARS[-1]}: {_short(text)}")
    if time is None:
        return naive, Precision.DAY
    return naive, Precision.SECOND if time["second"] else Precision.MINUTE


def _placed(naive: datetime, precision: Precision, zone: tzinfo, clockwork: Clockwork, stated: str) -> Read:
    first, second = naive.replace(tzinfo=zone), naive.replace(tzinfo=zone, fold=1)
    back = first.astimezone(UTC).astimezone(zone)
    if back.replace(tzinfo=None) != naive:
        raise BadMomentError(f"has a time that never was, as the clocks went forward: {naive:%Y-%m-%d %H:%M}")
    if first.utcoffset() == second.utcoffset():
        return Read(first.astimezone(UTC), precision, stated)
    if not clockwork.twice:
        raise BadMomentError(
            f"has a time that came twice, as the clocks went back: {naive:%Y-%m-%d %H:%M} "
            f"({zone_name(first)} or {zone_name(second)}). Choose which is meant"
        )
    chosen = first if clockwork.twice == "first" else second
    return Read(chosen.astimezone(UTC), precision, stated, was_twice=True)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."

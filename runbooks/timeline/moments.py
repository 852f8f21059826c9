"""Moments as people write them, in the incident's local time: 11:42, Fri 17:05, 23 Jun 17:05, 2017-06-23 17:05."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from runbooks.errors import DomainError
from runbooks.presentation import zone_name
from runbooks.timeline.models import Precision

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# A clock that is a little ahead of ours is not in the future.
AHEAD = timedelta(minutes=5)
# Beyond these a moment cannot be said in every zone, and one such row would break each page that shows it.
YEARS = range(1970, 2100)
LONGEST = 60
EXAMPLES = "Write 11:42, Fri 17:05, 23 Jun 17:05 or 2017-06-23 17:05."
ZONE = r"(?P<zone>Z|UTC|[A-Z]{3,5}|[+-]\d{2}:?\d{2})"
TIME = re.compile(
    r"(?:^|[\sT])(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:\.\d+)?)?\s*" + ZONE + r"?$", re.I
)
ISO_DAY = re.compile(r"^(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})$")
SLASHED_DAY = re.compile(r"^(?P<day>\d{1,2})[/.](?P<month>\d{1,2})(?:[/.](?P<year>\d{4}))?\.?$")
NAMED_DAY = re.compile(r"^(?P<day>\d{1,2})(?:st|nd|rd|th)?\s+(?P<name>[a-z]{3,9})(?:,?\s+(?P<year>\d{4}))?$")


class UnreadableMomentError(DomainError):
    """The text names no moment, or two."""

    status = 400


@dataclass(frozen=True, slots=True)
class Moment:
    """What was written, and how exactly. `at` is where it begins."""

    at: datetime
    precision: Precision


def parse(text: str, zone: ZoneInfo, now: datetime) -> Moment:
    """The moment meant; a time or weekday alone is the last such one. Raises UnreadableMomentError."""
    words = " ".join(text.split())
    if len(words) > LONGEST:
        raise UnreadableMomentError(f"“{words[:LONGEST]}...” is too long for a moment. {EXAMPLES}")
    if words.lower() == "now":
        return Moment(now, Precision.SECOND)
    today = now.astimezone(zone).date()
    time = TIME.search(words)
    said_day = (words[: time.start()] if time else words).strip(" ,").lower()
    day = _day(said_day, today, text) if said_day else None
    if time is None:
        if day is None:
            raise UnreadableMomentError(f"“{text}” names no moment. {EXAMPLES}")
        return Moment(_aware(day, 0, 0, 0, "", zone, text), Precision.DAY)
    hour, minute, second = (int(time[part] or 0) for part in ("hour", "minute", "second"))
    at = _aware(day or today, hour, minute, second, time["zone"] or "", zone, text)
    if day is None and at > now + AHEAD:
        at = _aware(today - timedelta(days=1), hour, minute, second, time["zone"] or "", zone, text)
    elif said_day[:3] in DAYS and at > now + AHEAD and day == today:
        at = _aware(today - timedelta(days=7), hour, minute, second, time["zone"] or "", zone, text)
    return Moment(at, Precision.SECOND if time["second"] else Precision.MINUTE)


def written(moment: datetime, zone: ZoneInfo, now: datetime) -> str:
    """The shortest spelling that `parse` reads back as this moment, to the minute."""
    local, today = moment.astimezone(zone), now.astimezone(zone)
    days = (today.date() - local.date()).days
    if days == 0 and moment <= now and not _is_twice(local):
        return f"{local:%H:%M}"
    if 0 < days < 6 and not _is_twice(local):
        return f"{local:%a %H:%M}"
    return written_in_full(moment, zone)


def written_in_full(moment: datetime, zone: ZoneInfo) -> str:
    """The spelling that means this moment whenever it is read, to the minute: 2017-06-23 17:05."""
    local = moment.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M}" + (f" {local:%z}" if _is_twice(local) else "")


def _day(said: str, today: date, text: str) -> date:
    if said in {"today", "yesterday"}:
        return today - timedelta(days=said == "yesterday")
    name, _, rest = said.partition(" ")
    if name.strip(",")[:3] in DAYS and name.strip(",").isalpha():
        if rest:
            return _day(rest, today, text)
        return today - timedelta(days=(today.weekday() - DAYS.index(name[:3])) % 7)
    found = ISO_DAY.match(said) or SLASHED_DAY.match(said) or NAMED_DAY.match(said)
    if found is None:
        raise UnreadableMomentError(f"“{text}” names no moment. {EXAMPLES}")
    parts = found.groupdict()
    month = _month(parts["name"], text) if "name" in parts else int(parts["month"])
    try:
        day = date(int(parts["year"] or today.year), month, int(parts["day"]))
        if day.year not in YEARS:
            raise UnreadableMomentError(f"“{text}” is too far away. Write a year from {YEARS[0]} to {YEARS[-1]}.")
        # Without a year the last such day is meant: in January, December is that of the year before.
        return day if parts["year"] or day <= today else day.replace(year=today.year - 1)
    except ValueError:
        raise UnreadableMomentError(f"There is no such day: “{text}”. {EXAMPLES}") from None


def _month(name: str, text: str) -> int:
    if name[:3] not in MONTHS:
        raise UnreadableMomentError(f"“{text}” names no month. {EXAMPLES}")
    return MONTHS.index(name[:3]) + 1


def _aware(day: date, hour: int, minute: int, second: int, said_zone: str, zone: ZoneInfo, text: str) -> datetime:
    """The local time as a moment in UTC; refused where the clocks went past it, or over it twice."""
    try:
        local = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=zone)
    except ValueError:
        raise UnreadableMomentError(f"There is no such time: “{text}”. {EXAMPLES}") from None
    if said_zone:
        return _in_zone(local, said_zone, text)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise UnreadableMomentError(f"“{text}” never was: the clocks went forward over it that night.")
    if _is_twice(local):
        first, second_time = zone_name(local), zone_name(local.replace(fold=1))
        raise UnreadableMomentError(
            f"“{text}” came twice that night, as the clocks went back. Add {first} or {second_time} to it."
        )
    return local.astimezone(UTC)


def _in_zone(local: datetime, said: str, text: str) -> datetime:
    if said.upper() in {"Z", "UTC"}:
        return local.replace(tzinfo=UTC)
    if said[0] in "+-":
        sign, digits = said[0], said[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return local.replace(tzinfo=UTC) - (offset if sign == "+" else -offset)
    for fold in (0, 1):
        if zone_name(local.replace(fold=fold)) == said.upper():
            return local.replace(fold=fold).astimezone(UTC)
    raise UnreadableMomentError(f"“{text}”: {said.upper()} is not the time there that day. Add UTC or +01:00 instead.")


def _is_twice(local: datetime) -> bool:
    earlier, later = local.replace(fold=0), local.replace(fold=1)
    return earlier.utcoffset() != later.utcoffset() and _exists(earlier)


def _exists(local: datetime) -> bool:
    back = local.astimezone(UTC).astimezone(local.tzinfo)
    return back.replace(tzinfo=None, fold=0) == local.replace(tzinfo=None, fold=0)

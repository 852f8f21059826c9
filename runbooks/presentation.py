"""How moments, spans and counts are said on every page."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = 60, 3600, 86400


def clock(moment: datetime, zone: ZoneInfo, now: datetime) -> str:
    """24 h, with the day when it is not today: 11:42, Fri 17:05, 3 Jun 17:05, 3 Jun 2016 17:05."""
    local, today = moment.astimezone(zone), now.astimezone(zone)
    days = abs((today.date() - local.date()).days)
    if days == 0:
        return f"{local:%H:%M}"
    if days < 6:
        return f"{local:%a %H:%M}"
    if local.year == today.year:
        return f"{local.day} {local:%b %H:%M}"
    return f"{local.day} {local:%b %Y %H:%M}"


def full_clock(moment: datetime, zone: ZoneInfo) -> str:
    """Fri 23 Jun 2017 09:07 BST"""
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M} {zone_name(local)}"


def zone_name(local: datetime) -> str:
    name = local.tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name


def span(length: timedelta) -> str:
    """22 min, 3 h 12 min, 4 d 05 h; under a minute: less than 1 min."""
    seconds = int(abs(length).total_seconds())
    if seconds < MINUTE:
        return "less than 1 min"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min"
    if seconds < 3 * DAY:
        return f"{seconds // HOUR} h {seconds % HOUR // MINUTE:02d} min"
    return f"{seconds // DAY} d {seconds % DAY // HOUR:02d} h"


def time_left(due: datetime, now: datetime) -> str:
    """'22 min late' or 'in 48 min'."""
    return f"{span(now - due)} late" if due < now else f"in {span(due - now)}"


def number(value: int) -> str:
    """1,284"""
    return f"{value:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """'1 account', '90 accounts'."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def in_groups(digits: str, size: int = 8) -> list[str]:
    """A hash in groups that an eye can compare: 9f86d081, 884c7d65, and so on."""
    return [digits[start : start + size] for start in range(0, len(digits), size)]

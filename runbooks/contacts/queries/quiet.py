"""Quiet hours: by the clock that hangs in somebody's room, over midnight and over both changes of summer time."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Quiet:
    """From one time of day until another, the next day's where it is not later."""

    begins: time
    ends: time
    zone: ZoneInfo

    def ends_after(self, moment: datetime) -> datetime | None:
        """When the quiet hours end that the moment lies in, in UTC; None when it lies in none.

        They are one stretch each night. Where the clock shows an hour twice they begin with its first showing and end
        with its second, so nobody is left alone, woken, and left alone again. Where it leaves an hour out, what should
        happen within happens as the clock jumps.
        """
        today = moment.astimezone(self.zone).date()
        nights = [self._night(today - DAY), self._night(today)]
        return max((end for start, end in nights if start <= moment < end), default=None)

    def _night(self, day: date) -> tuple[datetime, datetime]:
        """The stretch that begins on this day."""
        last = day if self.begins < self.ends else day + DAY
        return reading(day, self.begins, self.zone, later=False), reading(last, self.ends, self.zone, later=True)


def reading(day: date, clock: time, zone: ZoneInfo, *, later: bool) -> datetime:
    """The moment, in UTC, at which the zone's clock shows this time: the first or the later one where there are two.

    Where the clock jumps over it: the moment of the jump.
    """
    local = datetime.combine(day, clock, zone)
    # What fold=0 says of a time that is left out lies after the jump, and what fold=1 says lies before it.
    first, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if first <= second:
        return second if later else first
    return _jump_between(second, first, zone)


def _jump_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second of the new offset, found by halving."""
    old = before.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + ((after - before) // 2 // SECOND) * SECOND
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after

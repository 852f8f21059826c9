"""The time zones a person can choose, and the years whose moments every zone can show."""

from functools import cache
from typing import Final
from zoneinfo import available_timezones

YEARS: Final = range(2000, 2100)


@cache
def known_zones() -> list[tuple[str, str]]:
    return [(name, name) for name in sorted(available_timezones()) if "/" in name or name == "UTC"]

"""The time zones a person can choose."""

from functools import cache
from zoneinfo import available_timezones


@cache
def known_zones() -> list[tuple[str, str]]:
    return [(name, name) for name in sorted(available_timezones()) if "/" in name or name == "UTC"]

"""How shifts and gaps are said."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from runbooks.contacts.queries.schedule import GAPS_AHEAD, Standing, Turn
from runbooks.presentation import clock, span

SAID_MOST = 3


def stretch(begin: datetime, end: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Tue 18:00 to Wed 09:00"""
    return f"{clock(begin, zone, now)} to {clock(end, zone, now)}"


def gaps_in_words(standing: Standing, now: datetime) -> str:
    """When nobody is on call within the next 14 days, longest stretches first where there are many; empty: never."""
    gaps = standing.gaps
    if not gaps:
        return ""
    if gaps[0].ends_at - gaps[0].starts_at == GAPS_AHEAD:
        return f"Nobody is on call in the next {GAPS_AHEAD.days} days."
    zone = ZoneInfo(standing.rota.time_zone)
    longest = sorted(gaps, key=lambda gap: gap.starts_at - gap.ends_at)[:SAID_MOST]
    said = [_gap(gap, zone, now) for gap in sorted(longest, key=lambda gap: gap.starts_at)]
    more = len(gaps) - len(said)
    beyond = f" There are {more} more." if more else ""
    return f"Nobody is on call {_joined(said)}.{beyond}"


def _gap(gap: Turn, zone: ZoneInfo, now: datetime) -> str:
    length = span(gap.ends_at - gap.starts_at)
    if gap.ends_at >= now + GAPS_AHEAD:
        return f"from {clock(gap.starts_at, zone, now)} on"
    if gap.starts_at <= now:
        return f"now, until {clock(gap.ends_at, zone, now)} ({length})"
    return f"{stretch(gap.starts_at, gap.ends_at, zone, now)} ({length})"


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"

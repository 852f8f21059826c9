"""When something is said about a step, a deadline or a request that waits: worked out from two moments, never stored.

All of it is reckoned in lengths of time between moments, so no clock that is put forward or back, and no midnight,
changes when something is due. Only the newest stage that has come is ever said: a worker that was down all night says
in the morning that a step is nine hours late, and not also that it is due within the hour.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

HOUR: Final = timedelta(hours=1)
SOON: Final = HOUR
# So long after its time a step is overdue: whoever closes it as it is due is left alone.
GRACE: Final = timedelta(minutes=15)
AGAIN: Final = timedelta(hours=4)
AGAIN_IF_CRITICAL: Final = HOUR
CRITICAL: Final = 1
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stage:
    """One thing that is said, and the moment it is said for; `event` is its name in events.toml."""

    event: str
    at: datetime


def step_stage(begins: datetime, due: datetime, declared: datetime, severity: int, now: datetime) -> Stage | None:
    """What has come for an open step: an hour before its time, or half of it if that is shorter; its time; overdue.

    Overdue is said again every 4 h, in a critical incident every hour, and after a day once a day: reckoned from the
    declaration, so that all late steps of an incident are said again at one time and leave in one message.
    """
    if now < due:
        soon = due - min(SOON, max(due - begins, timedelta()) / 2)
        return Stage("step.due_soon", soon) if now >= soon else None
    late_from = due + GRACE
    if now < late_from:
        return Stage("step.due", due)
    gap = (AGAIN_IF_CRITICAL if severity == CRITICAL else AGAIN) if now - late_from < DAY else DAY
    again = declared + (now - declared) // gap * gap
    return Stage("step.overdue", again if again - late_from >= gap else late_from)


def deadline_stage(begins: datetime, due: datetime, now: datetime) -> Stage | None:
    """What has come of the time somebody outside set: half of it gone, three quarters. Later the step itself says."""
    whole = due - begins
    if whole <= timedelta() or now >= due:
        return None
    if now >= begins + whole * 3 / 4:
        return Stage("clock.three_quarters", begins + whole * 3 / 4)
    return Stage("clock.half", begins + whole / 2) if now >= begins + whole / 2 else None


def request_stage(asked: datetime, expires: datetime, now: datetime) -> Stage | None:
    """Half the time of a request is gone, and nobody has decided."""
    half = asked + (expires - asked) / 2
    return Stage("action.waiting", half) if half <= now < expires else None

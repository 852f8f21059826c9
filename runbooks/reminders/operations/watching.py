"""The watchdog: proves that everything moves, and says so once when it does not and once when it does again."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from runbooks.access.models import Role, User
from runbooks.notifications.models import Pulse
from runbooks.notifications.operations import tell
from runbooks.presentation import span
from runbooks.reminders.queries.health import ALARM, SINCE, WATCH, Fault, faults, pulses, schedule

# When the watchdog itself was silent for so long, nothing ran: what is late by that is about to be caught up with.
SILENCE: Final = timedelta(minutes=3)
# What comes and goes is one alarm: it is over when nothing was wrong for so long.
CALM_AFTER: Final = timedelta(minutes=2)


@transaction.atomic
def watch(*, at: datetime, own: datetime) -> list[Fault]:
    """Look once; what is wrong. `at` is the database's clock, `own` this machine's.

    One look at a time: the watchdog's own row is locked. Who is told hears of each fault once while it lasts; a portal
    that cannot deliver cannot tell either, which is what the heartbeat to an outside monitor is for.
    """
    Pulse.objects.bulk_create(
        [Pulse(name=name, at=at, said="Not seen yet") for name in (*schedule(), SINCE)], ignore_conflicts=True
    )
    since = Pulse.objects.select_for_update().get(name=SINCE)
    known = pulses()
    if at - known[WATCH].at > SILENCE:
        since.at, since.said = at, f"Nothing had been watched for {span(at - known[WATCH].at)} before"
        since.save()
    found = faults(at, since=since.at, own=own)
    _tell_of(found, known, at)
    return found


def _tell_of(found: Sequence[Fault], known: Mapping[str, Pulse], at: datetime) -> None:
    """The row of the alarm holds the keys of what was told, and when something was wrong last."""
    standing = known.get(ALARM)
    told = set(standing.said.split()) if standing else set()
    keys = {fault.key for fault in found}
    if found:
        Pulse.objects.update_or_create(name=ALARM, defaults={"at": at, "said": " ".join(sorted(told | keys))})
        if keys - told:
            what = "; ".join(fault.sentence for fault in found)
            tell(_whom(), "watchdog.alarm", {"what": what, "is_more": bool(told)}, at=at)
    elif standing and at - standing.at >= CALM_AFTER:
        standing.delete()
        tell(_whom(), "watchdog.calm", {"length": span(at - standing.at)}, at=at)


def _whom() -> list[User]:
    """Who looks after the portal, and who needs it."""
    return list(User.objects.filter(is_active=True, role__in=[Role.ADMINISTRATOR, Role.COORDINATOR]))

"""Whether everything moves: sweeps, chains, notices, this machine's clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import redis
from django.conf import settings
from django.db.models import Count, F, Min, Q

from runbooks.incidents.models import Incident
from runbooks.notifications.events import events
from runbooks.notifications.models import Escalation, Notification, Pulse
from runbooks.presentation import plural, span
from runbooks.reminders.clock import skew

CHAIN_LATE: Final = timedelta(minutes=2)
NOTICE_LATE: Final = timedelta(minutes=5)
# A sweep may be missed some times, and the longest works four minutes before it says that it came to an end.
SWEEP_LATE: Final = timedelta(minutes=6)
TIMES: Final = 4
BROKER_SECONDS: Final = 2
CALLS_MOST: Final = 50
# Rows of Pulse that no sweep leaves.
SINCE, ALARM, HEARTBEAT = "watchdog.since", "watchdog.alarm", "watchdog.heartbeat"
WATCH: Final = "reminders.watch"
LABELS: Final[Mapping[str, str]] = {
    "notifications.deliver": "Delivering notices",
    "notifications.send_codes": "Sending codes to contact points",
    "reminders.chains": "Moving chains on",
    "reminders.remind": "Reminding and nudging",
    WATCH: "Watchdog",
    "briefings.clocks": "Watching when reports are due",
    "briefings.digests": "Sending digests",
    "subscriptions.sweep": "Telling subscribers",
    "subscriptions.forget": "Forgetting what was redacted",
    "confirmations.sweep": "Checking what holders answered",
    "confirmations.watch": "Watching for new passwords",
    "confirmations.probes": "Looking for guessed codes",
    "actions.sweep": "Carrying actions on",
    "exports.checkpoints": "Signing checkpoints",
    "exports.witness": "Sending checkpoints to witnesses",
    "exports.stamp": "Asking for time stamps",
    "exports.verify_due": "Verifying timelines",
    "exports.make_left": "Making exports",
}


@dataclass(frozen=True, slots=True)
class Sweep:
    """A task of the beat schedule; `at` is when it last came to its end, None when it never did."""

    name: str
    label: str
    every: timedelta
    at: datetime | None
    said: str

    @property
    def allowed(self) -> timedelta:
        return max(self.every * TIMES, SWEEP_LATE)

    def is_late(self, now: datetime, since: datetime) -> bool:
        """Nothing was heard of it for longer than it may take; `since` is when anything at all began to run."""
        return now - max(self.at or since, since) > self.allowed


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not move. `key` is the same while it is the same fault."""

    key: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Late:
    """How many are late, and when the first of them was due."""

    count: int
    first: datetime | None


def pulses() -> dict[str, Pulse]:
    return Pulse.objects.in_bulk()


def schedule() -> dict[str, timedelta]:
    """{task: how often beat asks for it}; what runs at times of day is not watched by its age."""
    found: dict[str, timedelta] = {}
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        every: Any = entry["schedule"]
        if isinstance(every, int | float | timedelta):
            found[str(entry["task"])] = every if isinstance(every, timedelta) else timedelta(seconds=every)
    return found


def sweeps(known: Mapping[str, Pulse]) -> list[Sweep]:
    """Every task of the schedule, by its label."""
    found = []
    for name, every in schedule().items():
        pulse = known.get(name)
        at, said = (pulse.at, pulse.said) if pulse else (None, "")
        found.append(Sweep(name, LABELS.get(name, name), every, at, said))
    return sorted(found, key=lambda one: one.label)


def late_chains(now: datetime, since: datetime) -> Late:
    """Chains whose next step is more than 2 minutes past."""
    rows = Escalation.objects.filter(status=Escalation.Status.RUNNING, next_at__lt=_before(now, since, CHAIN_LATE))
    told = rows.aggregate(count=Count("pk"), first=Min("next_at"))
    return Late(told["count"], told["first"])


def late_notices(now: datetime, since: datetime) -> Late:
    """Notices that are due for more than 5 minutes and that no worker has in hand."""
    free = Q(leased_until__isnull=True) | Q(leased_until__lt=now)
    rows = Notification.objects.filter(
        free,
        status=Notification.Status.WAITING,
        carried_by__isnull=True,
        next_attempt_at__lt=_before(now, since, NOTICE_LATE),
    )
    told = rows.aggregate(count=Count("pk"), first=Min("next_attempt_at"))
    return Late(told["count"], told["first"])


def _before(now: datetime, since: datetime, late: timedelta) -> datetime:
    """What was due earlier is late; nothing is while things have run for no longer than that."""
    return now - late if now - since > late else datetime.min.replace(tzinfo=now.tzinfo)


def faults(now: datetime, *, since: datetime, own: datetime) -> list[Fault]:
    """What does not move. `now` is the database's clock, `own` this machine's, `since` when things began to run."""
    silent = [sweep for sweep in sweeps(pulses()) if sweep.is_late(now, since) and sweep.name != WATCH]
    found: list[Fault] = []
    if silent:
        named = ", ".join(f"{sweep.label.lower()} ({span(now - (sweep.at or since))})" for sweep in silent)
        found.append(Fault("sweeps", f"Nothing was heard of: {named}"))
    chains, notices, ahead = late_chains(now, since), late_notices(now, since), skew(own, now)
    if chains.first:
        said = f"{plural(chains.count, 'chain does', 'chains do')} not move, the first since {span(now - chains.first)}"
        found.append(Fault("chains", said))
    if notices.first:
        said = f"{plural(notices.count, 'notice waits', 'notices wait')} and nobody sends them"
        found.append(Fault("notices", f"{said}, the first since {span(now - notices.first)}"))
    if ahead is not None:
        which = "ahead of" if ahead > timedelta() else "behind"
        found.append(Fault("clock", f"The clock of a worker is {span(ahead)} {which} the database's"))
    return found


@dataclass(frozen=True, slots=True)
class Counts:
    """Notices that wait and are due, and since when; what reached nobody; chains that run and that nobody answered."""

    due: int
    oldest: datetime | None
    planned: int
    unreached: int
    running: int
    in_vain: int


def counts(now: datetime) -> Counts:
    """Two queries. What waits for its hour, or for the answer to an earlier way, is planned."""
    waiting = Q(status=Notification.Status.WAITING, carried_by__isnull=True)
    due, undelivered = waiting & Q(next_attempt_at__lte=now), [Notification.Status.FAILED, Notification.Status.HELD]
    of_running = ~Q(incident__status__in=Incident.OVER)
    notices = Notification.objects.filter(status__in=[Notification.Status.WAITING, *undelivered]).aggregate(
        due=Count("pk", filter=due),
        oldest=Min("next_attempt_at", filter=due),
        planned=Count("pk", filter=waiting & Q(next_attempt_at__gt=now)),
        unreached=Count("pk", filter=Q(status__in=undelivered, acknowledged_at__isnull=True) & of_running),
    )
    chains = Escalation.objects.filter(of_running).aggregate(
        running=Count("pk", filter=Q(status=Escalation.Status.RUNNING)),
        in_vain=Count("pk", filter=Q(status=Escalation.Status.EXHAUSTED)),
    )
    return Counts(**notices, **chains)


@dataclass(frozen=True, slots=True)
class RunningCall:
    """A chain that runs, or that nobody answered, by the reference of its incident alone."""

    reference: str
    says: str
    started_at: datetime
    next_at: datetime | None


def running_calls() -> list[RunningCall]:
    """The first of them, what nobody answered first."""
    rows = Escalation.objects.filter(status__in=[Escalation.Status.RUNNING, Escalation.Status.EXHAUSTED])
    rows = rows.exclude(incident__status__in=Incident.OVER).order_by(F("next_at").asc(nulls_first=True), "pk")
    known = events()
    return [
        RunningCall(reference, known[event].says if event in known else event, started_at, next_at)
        for reference, event, started_at, next_at in rows.values_list(
            "incident__reference", "event", "started_at", "next_at"
        )[:CALLS_MOST]
    ]


def broker_answers() -> bool:
    limits = {"socket_timeout": BROKER_SECONDS, "socket_connect_timeout": BROKER_SECONDS}
    try:
        with redis.Redis.from_url(settings.CELERY_BROKER_URL, **limits) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False

"""The alarm: somebody tries codes that are wrong, many of them or many on one account."""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import redis
from django.db import transaction
from django.db.models import Func, QuerySet, TextField, Value
from django.db.models.functions import Lower

from runbooks.access.models import Role, User
from runbooks.access.permissions import PORTAL
from runbooks.confirmations.models import Code, Probe
from runbooks.confirmations.throttle import Tries, wrong_tries
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.notifications.operations import announce
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record

logger = logging.getLogger(__name__)

MINUTES: Final = 10
WINDOW: Final = timedelta(minutes=MINUTES)
OVERALL_MOST, ACCOUNT_MOST = 50, 10
NAMED_MOST: Final = 20


def look(*, at: datetime) -> int:
    """Raise the alarm where there is one to raise; in how many incidents it was. Outside a transaction."""
    try:
        tries = wrong_tries(MINUTES, now=at.timestamp())
    except redis.RedisError:
        logger.exception("No Valkey: wrong tries cannot be read")
        return 0
    aimed = {name: wrong for name, wrong in tries.accounts.items() if wrong > ACCOUNT_MOST}
    if tries.wrong <= OVERALL_MOST and not aimed:
        return 0
    held = _holding(aimed, at)
    found = _with_open_codes(at) if tries.wrong > OVERALL_MOST else set(held)
    raised = [raise_alarm(incident_id=one, tries=tries, aimed=held.get(one, {}), at=at) for one in sorted(found)]
    if not found:
        _keep_for_nobody(tries, aimed, at)
    return sum(raised)


@transaction.atomic
def raise_alarm(*, incident_id: UUID, tries: Tries, aimed: Mapping[str, int], at: datetime) -> bool:
    """A row, an entry and a notice to the coordinators, unless there was one within the last ten minutes.

    `aimed`: {account of the incident: wrong tries}, those alone that are over the limit of one account.
    """
    incident = lock(incident_id)
    if incident.is_over or Probe.objects.filter(incident=incident, at__gt=at - WINDOW).exists():
        return False
    named = dict(sorted(aimed.items(), key=lambda pair: (-pair[1], pair[0]))[:NAMED_MOST])
    probe = _keep(incident, tries, named, at)
    said = f"Somebody is guessing codes: {_counted(probe.wrong, tries)}"
    if named:
        said += ", most of them on " + ", ".join(f"{name} ({wrong})" for name, wrong in named.items())
    details = {"wrong": probe.wrong, "networks": probe.networks, "accounts": named, "minutes": MINUTES}
    record(incident, Entry("holder.probed", said, Lane.DETECTION, details), actor=PORTAL, at=at)
    announce(
        incident,
        "holder.probed",
        {"counted": _counted(probe.wrong, tries), "accounts": ", ".join(named)},
        at=at,
        to=_coordinators(incident_id),
    )
    return True


def _counted(wrong: int, tries: Tries) -> str:
    return f"{plural(wrong, 'wrong try', 'wrong tries')} in {MINUTES} minutes from {plural(tries.networks, 'network')}"


def _holding(aimed: Mapping[str, int], at: datetime) -> dict[UUID, dict[str, int]]:
    """{running incident: the accounts aimed at that have an open code in it}"""
    name = Func(Lower("affected_account__login"), Value("@"), Value(1), function="split_part", output_field=TextField())
    rows = _open_codes(at).annotate(name=name).filter(name__in=list(aimed)).values_list("incident_id", "name")
    held: dict[UUID, dict[str, int]] = {}
    for incident_id, account in rows if aimed else ():
        held.setdefault(incident_id, {})[account] = aimed[account]
    return held


def _with_open_codes(at: datetime) -> Collection[UUID]:
    return set(_open_codes(at).values_list("incident_id", flat=True).order_by().distinct())


def _open_codes(at: datetime) -> QuerySet[Code]:
    running = Code.objects.exclude(incident__status__in=Incident.OVER)
    return running.filter(used_at__isnull=True, superseded_at__isnull=True, expires_at__gt=at)


def _coordinators(incident_id: UUID) -> list[User]:
    here = {"memberships__incident_id": incident_id, "memberships__ended_at__isnull": True}
    return list(User.objects.filter(is_active=True, role=Role.COORDINATOR, **here))


def _keep(incident: Incident | None, tries: Tries, named: Mapping[str, int], at: datetime) -> Probe:
    return Probe.objects.create(
        incident=incident,
        login=next(iter(named), ""),
        wrong=tries.wrong,
        networks=tries.networks,
        since=at - WINDOW,
        at=at,
    )


def _keep_for_nobody(tries: Tries, aimed: Mapping[str, int], at: datetime) -> None:
    """Nobody who has a code is meant, so there is no incident to tell; that it happened is kept."""
    if not Probe.objects.filter(incident=None, at__gt=at - WINDOW).exists():
        _keep(None, tries, dict(sorted(aimed.items(), key=lambda pair: (-pair[1], pair[0]))), at)

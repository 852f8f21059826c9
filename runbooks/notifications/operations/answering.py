"""What ends a notice before it was delivered everywhere: somebody answered, or what it tells of is done."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When

from runbooks.access.permissions import Actor, require
from runbooks.errors import NotFoundError
from runbooks.notifications.channels.base import Reason
from runbooks.notifications.models import Escalation, Notification

Status = Notification.Status
# Exhausted too: somebody may still answer what everybody was called about in vain.
OPEN: Final = (Escalation.Status.RUNNING, Escalation.Status.EXHAUSTED)


@transaction.atomic
def acknowledge(*, notification_id: UUID, actor: Actor, at: datetime) -> Notification:
    """Its recipient has seen it: no further channel says it, and its chain goes no further. Said twice, it is once.

    No entry: the row itself says who answered what and when. Chains are locked before notices, here as where they move.
    """
    require(actor, "answer_notices")
    theirs = Q(pk=notification_id) | Q(carried_by=notification_id)
    mine = Notification.objects.filter(recipient_id=actor.user_id)
    ids = set(mine.filter(theirs, escalation__isnull=False).values_list("escalation_id", flat=True))
    chains = _locked(Escalation.objects.filter(pk__in=ids)) if ids else []
    notices = mine.select_for_update(of=("self",)).select_related("incident")
    notice = notices.filter(pk=notification_id).first()
    if notice is None:
        raise NotFoundError("There is no such notice to you.")
    if notice.acknowledged_at is not None:
        return notice
    theirs |= Q(escalation__in=ids)
    _end_chains(chains, Escalation.Status.ANSWERED, actor.name, at)
    mine.filter(theirs, acknowledged_at__isnull=True).update(acknowledged_at=at)
    # Others who were told once are not called by further channels; who was not told yet still is.
    stopped = Q(recipient_id=actor.user_id) & theirs | Q(escalation__in=ids, delivered_at__isnull=False)
    _stop(Notification.objects.filter(stopped), Reason.ACKNOWLEDGED, f"{actor.name} has seen it", at)
    notice.refresh_from_db()
    return notice


@transaction.atomic
def acknowledge_all(*, until: datetime, actor: Actor, at: datetime) -> int:
    """Its recipient has seen what they were told until then; how many notices.

    Not what came since, and not what calls others while nobody answers: that is answered one by one, and on purpose.
    """
    require(actor, "answer_notices")
    mine = Notification.objects.filter(recipient_id=actor.user_id, acknowledged_at__isnull=True, created_at__lte=until)
    calling = Q(escalation__isnull=False, escalation__status__in=OPEN)
    seen = list(mine.exclude(calling).select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    notices = Notification.objects.filter(pk__in=seen)
    _stop(notices, Reason.ACKNOWLEDGED, f"{actor.name} has seen it", at)
    notices.update(acknowledged_at=at)
    return len(seen)


def answer(incident_id: UUID, about: str, *, by: str, at: datetime) -> int:
    """Somebody does what chains call about, though they pressed nothing: how many chains end by that.

    In the transaction in which they did it. Who was told is not called by further channels; who was not told yet is.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("An answer belongs into the transaction of what was done")
    found = _locked(Escalation.objects.filter(incident_id=incident_id, about=about))
    _end_chains(found, Escalation.Status.ANSWERED, by, at)
    if found:
        told = Notification.objects.filter(escalation__in=[chain.pk for chain in found], delivered_at__isnull=False)
        _stop(told, Reason.ACKNOWLEDGED, by, at)
    return len(found)


def withdraw(incident_id: UUID, about: str, *, at: datetime, because: str) -> int:
    """Drop what still waits about something that is done, in the transaction that did it; how many notices.

    Chains about it end as well. What was delivered stays so; the rows say why nothing more of them leaves.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("A withdrawal belongs into the transaction of its change")
    chains = _locked(Escalation.objects.filter(incident_id=incident_id, about=about))
    _end_chains(chains, Escalation.Status.WITHDRAWN, because, at)
    return _stop(Notification.objects.filter(incident_id=incident_id, about=about), Reason.WITHDRAWN, because, at)


def _locked(chains: QuerySet[Escalation]) -> list[Escalation]:
    """Those of them that call, or called everybody in vain; in one order, so that two of these never wait for each
    other."""
    rows = chains.filter(status__in=OPEN).order_by("pk")
    return list(rows.select_for_update(of=("self",)))


def _end_chains(chains: Sequence[Escalation], status: Escalation.Status, because: str, at: datetime) -> None:
    """All are locked."""
    if chains:
        Escalation.objects.filter(pk__in=[chain.pk for chain in chains]).update(
            status=status, next_at=None, ended_at=at, moved_at=at, ended_because=because[:300]
        )


def _stop(notices: QuerySet[Notification], code: Reason, because: str, at: datetime) -> int:
    """Nothing more leaves of these. One that is on its way at this moment can no longer be called back."""
    pending = notices.filter(status__in=[Status.WAITING, Status.HELD])
    return pending.update(
        status=Case(
            When(delivered_at__isnull=False, then=Value(Status.DELIVERED)),
            default=Value(Status.DROPPED),
        ),
        reason_code=code,
        reason=because[:300],
        leased_until=Case(When(sending_since__isnull=False, then=F("leased_until")), default=None),
    )

"""What ends a notice before it was delivered everywhere: somebody answered, or what it tells of is done."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When

from runbooks.access.permissions import Actor
from runbooks.errors import NotFoundError
from runbooks.notifications.channels.base import Reason
from runbooks.notifications.models import Escalation, Notification

Status = Notification.Status


@transaction.atomic
def acknowledge(*, notification_id: UUID, actor: Actor, at: datetime) -> Notification:
    """Its recipient has seen it: no further channel says it, and its chain goes no further. Said twice, it is once.

    Takes no permission but being the one it is for, and no entry: the row itself says who answered what and when.
    """
    notices = Notification.objects.select_for_update(of=("self",)).select_related("incident")
    notice = notices.filter(pk=notification_id, recipient_id=actor.user_id).first()
    if notice is None:
        raise NotFoundError("There is no such notice to you.")
    if notice.acknowledged_at is not None:
        return notice
    theirs = Q(pk=notice.pk) | Q(carried_by=notice.pk)
    stopped = theirs
    if notice.escalation_id:
        theirs |= Q(escalation=notice.escalation_id, recipient_id=actor.user_id)
        # Others who were told once are not called by further channels; who was not told yet still is.
        stopped = theirs | Q(escalation=notice.escalation_id, delivered_at__isnull=False)
        _end_chains(Escalation.objects.filter(pk=notice.escalation_id), Escalation.Status.ANSWERED, actor.name, at)
    Notification.objects.filter(theirs, acknowledged_at__isnull=True).update(acknowledged_at=at)
    _stop(Notification.objects.filter(stopped), Reason.ACKNOWLEDGED, f"{actor.name} has seen it", at)
    notice.refresh_from_db()
    return notice


def withdraw(incident_id: UUID, about: str, *, at: datetime, because: str) -> int:
    """Drop what still waits about something that is done, in the transaction that did it; how many notices.

    Chains about it end as well. What was delivered stays so; the rows say why nothing more of them leaves.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("A withdrawal belongs into the transaction of its change")
    chains = Escalation.objects.filter(incident_id=incident_id, about=about)
    _end_chains(chains, Escalation.Status.WITHDRAWN, because, at)
    return _stop(Notification.objects.filter(incident_id=incident_id, about=about), Reason.WITHDRAWN, because, at)


def _end_chains(chains: QuerySet[Escalation], status: Escalation.Status, because: str, at: datetime) -> None:
    running = chains.filter(status=Escalation.Status.RUNNING)
    running.update(status=status, next_at=None, ended_at=at, moved_at=at, ended_because=because[:300])


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

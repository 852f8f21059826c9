"""Reading the outbox: what is due, what was told to whom, and what did not arrive."""

from datetime import datetime
from uuid import UUID

from django.db.models import Q

from runbooks.notifications.models import Notification

Status = Notification.Status
Place = tuple[datetime, UUID]


def due(at: datetime, *, after: Place | None, limit: int) -> list[Place]:
    """When and which: waiting notices whose time has come and that no worker holds, oldest first, after a place."""
    rows = Notification.objects.filter(
        Q(leased_until__isnull=True) | Q(leased_until__lte=at), status=Status.WAITING, next_attempt_at__lte=at
    )
    if after is not None:
        moment, notification_id = after
        rows = rows.filter(Q(next_attempt_at__gt=moment) | Q(next_attempt_at=moment, pk__gt=notification_id))
    return list(rows.order_by("next_attempt_at", "pk").values_list("next_attempt_at", "pk")[:limit])


def undelivered_count(incident_id: UUID) -> int:
    """Notices given up on, which a person has to look at: the affected person was not told."""
    return Notification.objects.filter(incident_id=incident_id, status=Status.FAILED).count()

"""Reading the outbox: what is due, what was told to whom, and what did not arrive."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q

from runbooks.notifications.models import Notification, NotificationAttempt

Status = Notification.Status
Place = tuple[datetime, UUID]
UNDELIVERED = (Status.FAILED, Status.HELD)


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One notice to one person by one channel, as it stands."""

    id: UUID
    created_at: datetime
    subject: str
    body: str
    recipient_id: int
    recipient: str
    channel: str
    address: str
    status: str
    reason: str
    next_attempt_at: datetime
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver; `reason` is empty when it did."""

    at: datetime
    reason: str


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
    """Notices given up on, which a person has to look at: somebody was not told."""
    return Notification.objects.filter(incident_id=incident_id, status=Status.FAILED).count()


def counts_by_status(incident_id: UUID) -> Mapping[str, int]:
    counted = Notification.objects.filter(incident_id=incident_id).values_list("status").annotate(Count("pk"))
    return defaultdict(int, counted)


def notices_before(incident_id: UUID, *, statuses: Iterable[str], before: Place | None, limit: int) -> list[NoticeRow]:
    """The incident's notices in these statuses, newest first, after a place."""
    rows = Notification.objects.filter(incident_id=incident_id, status__in=list(statuses))
    if before is not None:
        moment, notification_id = before
        rows = rows.filter(Q(created_at__lt=moment) | Q(created_at=moment, pk__lt=notification_id))
    columns = ("pk", "created_at", "subject", "body", "recipient_id", "recipient__name", "channel", "address", "status")
    more = ("reason", "next_attempt_at", "delivered_at")
    return [NoticeRow(*row) for row in rows.order_by("-created_at", "-pk").values_list(*columns, *more)[:limit]]


def attempts_at(notification_ids: Iterable[UUID]) -> Mapping[UUID, list[Attempt]]:
    """What was tried for each of these notices, oldest first, in one query."""
    tried: dict[UUID, list[Attempt]] = defaultdict(list)
    rows = NotificationAttempt.objects.filter(notification_id__in=list(notification_ids)).order_by("at", "pk")
    for notification_id, at, reason in rows.values_list("notification_id", "at", "reason"):
        tried[notification_id].append(Attempt(at, reason))
    return tried

"""Reading the outbox: what is due, what was told to whom, and what did not arrive."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from runbooks.notifications.models import Notification, NotificationAttempt

Status = Notification.Status
Place = tuple[datetime, UUID]
UNDELIVERED = (Status.FAILED, Status.HELD)
BUNDLE_MOST = 500


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


def due(at: datetime, *, only: Collection[UUID] | None = None) -> QuerySet[Notification]:
    """Waiting notices whose time has come and that no worker holds: the important first, then the oldest."""
    rows = Notification.objects.filter(
        Q(leased_until__isnull=True) | Q(leased_until__lte=at),
        status=Status.WAITING,
        carried_by__isnull=True,
        next_attempt_at__lte=at,
    )
    if only is not None:
        rows = rows.filter(pk__in=only)
    return rows.order_by("-importance", "next_attempt_at", "pk")


def bundled_with(notice: Notification) -> list[Notification]:
    """What waits for the same person about the same kind of thing and was not tried, locked; due or not yet."""
    rows = Notification.objects.filter(
        bundle=notice.bundle,
        recipient_id=notice.recipient_id,
        status=Status.WAITING,
        carried_by__isnull=True,
        attempts_made=0,
        delivered_at__isnull=True,
        sending_since__isnull=True,
    ).exclude(pk=notice.pk)
    return list(rows.select_for_update(skip_locked=True).order_by("created_at", "pk")[:BUNDLE_MOST])


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

"""Reading the outbox: what is due, what was told to whom, and what did not arrive."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from runbooks.access.models import Membership, User
from runbooks.notifications.models import Notification, NotificationAttempt
from runbooks.notifications.standing import UNREACHED, Standing, where

Status = Notification.Status
Place = tuple[datetime, UUID]
BUNDLE_MOST = 500
# How the keys of notices begin whose words were taken out: a key is a hash of the words, and goes with them.
SILENCED = "redacted-"
# Said to people outside the incident as well: who broke the seal may have chosen who is in it, and who is on call may
# not be in it yet. They name no title.
BEYOND_THE_ROOM = frozenset({"seal.broken", "seal.mended", "escalation.called"})


# Where a name of NoticeRow is found, when not under itself.
PATHS = {"id": "pk", "recipient": "recipient__name"}


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One notice to one person, as it stands."""

    id: UUID
    incident_id: UUID | None
    created_at: datetime
    event: str
    subject: str
    body: str
    recipient_id: int
    recipient: str
    importance: str
    ignores_quiet_hours: bool
    route: list[dict[str, Any]]
    position: int
    status: str
    reason_code: str
    reason: str
    attempts_made: int
    next_attempt_at: datetime
    sending_since: datetime | None
    delivered_at: datetime | None
    acknowledged_at: datetime | None
    carried_by_id: UUID | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver; `reason` is empty when the channel took it. `outcome` is what its provider told later."""

    at: datetime
    channel: str
    address: str
    is_delivered: bool
    reason_code: str
    reason: str
    outcome: str
    outcome_at: datetime | None


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


def notices_of_entry(incident_id: UUID, sequence: int) -> QuerySet[Notification]:
    """The notices that were written of this entry and still have their words."""
    told = Notification.objects.filter(incident_id=incident_id, sequence=sequence)
    return told.exclude(idempotency_key__startswith=SILENCED)


def still_here(notices: Sequence[Notification]) -> frozenset[UUID]:
    """Those of them whose recipients may still hear of it: they sign in, and are in its incident unless it goes beyond
    that. Two queries, however many."""
    people = {notice.recipient_id for notice in notices}
    awake = set(User.objects.filter(pk__in=people, is_active=True).values_list("pk", flat=True))
    rooms = {notice.incident_id for notice in notices if notice.incident_id}
    members = Membership.objects.filter(incident_id__in=rooms, user_id__in=people, ended_at__isnull=True)
    here = set(members.values_list("incident_id", "user_id"))
    return frozenset(
        notice.pk
        for notice in notices
        if notice.recipient_id in awake
        and (
            notice.incident_id is None
            or notice.event in BEYOND_THE_ROOM
            or (notice.incident_id, notice.recipient_id) in here
        )
    )


def undelivered_count(incident_id: UUID) -> int:
    """Notices that reached nobody and that nothing more is tried of: a person has to look at them."""
    return Notification.objects.filter(UNREACHED, incident_id=incident_id).count()


def counts_by_event(incident_id: UUID) -> Mapping[str, Mapping[Standing, int]]:
    """How the incident's notices stand, event by event, in one query."""
    counted = {standing.name: Count("pk", filter=where(standing)) for standing in Standing}
    rows = Notification.objects.filter(incident_id=incident_id).values("event").annotate(**counted).order_by("event")
    found = rows.values_list("event", *counted)
    return {event: dict(zip(Standing, numbers, strict=True)) for event, *numbers in found}


def notices_before(matching: Q, *, before: Place | None, limit: int) -> list[NoticeRow]:
    """The notices that match, newest first, after a place."""
    rows = Notification.objects.filter(matching)
    if before is not None:
        moment, notification_id = before
        rows = rows.filter(Q(created_at__lt=moment) | Q(created_at=moment, pk__lt=notification_id))
    columns = [one.name for one in fields(NoticeRow)]
    paths = [PATHS.get(name, name) for name in columns]
    return [NoticeRow(*row) for row in rows.order_by("-created_at", "-pk").values_list(*paths)[:limit]]


def companions(rows: Sequence[NoticeRow]) -> Mapping[UUID, int]:
    """{the notice that carries others: how many it carries}, of those that these carry or travel in; one query."""
    carriers = {row.carried_by_id or row.id for row in rows}
    counted = Notification.objects.filter(carried_by_id__in=carriers).values_list("carried_by_id")
    return dict(counted.annotate(Count("pk")).order_by())


def attempts_at(notification_ids: Iterable[UUID]) -> Mapping[UUID, list[Attempt]]:
    """What was tried for each of these notices, oldest first, in one query."""
    tried: dict[UUID, list[Attempt]] = defaultdict(list)
    rows = NotificationAttempt.objects.filter(notification_id__in=list(notification_ids)).order_by("at", "pk")
    for notification_id, *told in rows.values_list("notification_id", *(one.name for one in fields(Attempt))):
        tried[notification_id].append(Attempt(*told))
    return tried

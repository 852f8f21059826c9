"""What became of a message that a channel took, as its provider tells later: noted, and acted on where it came back."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from runbooks.background import wake
from runbooks.contacts.models import ContactPoint
from runbooks.notifications.channels.base import Reason
from runbooks.notifications.models import Notification, NotificationAttempt

Status = Notification.Status
REASON_MAX: Final = 300


class Outcome(StrEnum):
    """The words are kept, and shown."""

    ON_ITS_WAY = "on its way"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    COMPLAINED = "called unwanted"
    NOT_ANSWERED = "not answered"
    BOUNCED = "bounced"
    FAILED = "failed"


UNDECIDED: Final = frozenset({Outcome.ON_ITS_WAY, Outcome.DEFERRED})
CAME_BACK: Final = frozenset({Outcome.NOT_ANSWERED, Outcome.BOUNCED, Outcome.FAILED})
# Nobody who merely does not answer has a wrong number.
OF_THE_POINT: Final = frozenset({Outcome.BOUNCED, Outcome.FAILED, Outcome.COMPLAINED})


@transaction.atomic
def note_outcome(
    *,
    channel: str,
    provider_id: str,
    outcome: Outcome,
    sentence: str,
    at: datetime,
    notification_id: UUID | None = None,
) -> bool:
    """Keep what the provider told of a message; False where none is known by this id, or none yet.

    Told again, or late, it changes nothing: what came back stays so, whatever was said to be on its way. A message that
    came back makes its notice go on to the next place of its route, unless somebody has seen it. `notification_id` is
    for calls that name it, by which a message is known whose worker died before it could keep the id.
    """
    found = _attempt_of(channel, provider_id, notification_id)
    if found is None:
        return False
    notice = Notification.objects.select_for_update().get(pk=found.notification_id)
    attempt = NotificationAttempt.objects.select_for_update().get(pk=found.pk)
    if attempt.outcome in CAME_BACK or (attempt.outcome and outcome in UNDECIDED | {attempt.outcome}):
        return True
    attempt.provider_id, attempt.is_delivered = provider_id, True
    attempt.outcome, attempt.outcome_at = outcome, at
    if outcome in CAME_BACK | OF_THE_POINT:
        attempt.reason_code = Reason.NOT_ANSWERED if outcome == Outcome.NOT_ANSWERED else Reason.CAME_BACK
        attempt.reason = sentence[:REASON_MAX]
    attempt.save(update_fields=["provider_id", "is_delivered", "outcome", "outcome_at", "reason_code", "reason"])
    if outcome in OF_THE_POINT and attempt.point_id:
        working = ContactPoint.objects.filter(pk=attempt.point_id, failing_since__isnull=True)
        working.update(failing_since=at, failed_because=sentence[:REASON_MAX])
    if outcome in CAME_BACK and notice.acknowledged_at is None:
        _go_on(notice, attempt, at)
    return True


def _attempt_of(channel: str, provider_id: str, notification_id: UUID | None) -> NotificationAttempt | None:
    attempts = NotificationAttempt.objects.filter(channel=channel)
    if notification_id is not None:
        unnamed = Q(provider_id="", is_delivered=True) | Q(provider_id="", reason_code=Reason.LOST)
        attempts = attempts.filter(Q(provider_id=provider_id) | unnamed, notification_id=notification_id)
    else:
        attempts = attempts.filter(provider_id=provider_id)
    return attempts.order_by("-provider_id", "-pk").first() if provider_id else None


def _go_on(notice: Notification, attempt: NotificationAttempt, at: datetime) -> None:
    """To the place after the one it came back from; where none is left, nobody was told, and the row says so."""
    taken = notice.attempts.filter(is_delivered=True).exclude(pk=attempt.pk)
    arrived_at = taken.exclude(outcome__in=CAME_BACK).order_by("at").values_list("at", flat=True).first()
    if notice.status == Status.WAITING:
        notice.delivered_at = arrived_at
        if notice.leased_until is None:
            notice.next_attempt_at = min(notice.next_attempt_at, at)
    elif notice.status == Status.DELIVERED and arrived_at is None:
        notice.delivered_at = None
        notice.reason_code, notice.reason = attempt.reason_code, attempt.reason
        after = _place_of(notice, attempt) + 1
        if after < len(notice.route):
            notice.status, notice.position, notice.attempts_made = Status.WAITING, after, 0
            notice.next_attempt_at, notice.leased_until, notice.sending_since = at, None, None
        else:
            notice.status = Status.FAILED
        _let_go(notice)
    changed = ["status", "reason_code", "reason", "position", "attempts_made", "next_attempt_at", "delivered_at"]
    notice.save(update_fields=[*changed, "leased_until", "sending_since"])
    if notice.status == Status.WAITING:
        wake("notifications.deliver")


def _place_of(notice: Notification, attempt: NotificationAttempt) -> int:
    point = str(attempt.point_id) if attempt.point_id else None
    places = [(place["channel"], place["point"]) for place in notice.route]
    here = (attempt.channel, point)
    return places.index(here) if here in places else notice.position


def _let_go(notice: Notification) -> None:
    """What travelled in this message came back with it: it goes on as well, and is gathered anew."""
    carried = Notification.objects.filter(
        carried_by=notice, status=Status.DELIVERED, acknowledged_at__isnull=True, route=notice.route
    )
    carried.update(
        status=notice.status,
        position=notice.position,
        next_attempt_at=notice.next_attempt_at,
        delivered_at=None,
        carried_by=None,
        reason_code=notice.reason_code,
        reason=notice.reason,
    )

"""The outbox: what an operation announces is written with its change, and delivered afterwards."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string

from runbooks.access.models import User
from runbooks.access.permissions import TALKING
from runbooks.background import wake
from runbooks.notifications.channels import CHANNELS, channel
from runbooks.notifications.channels.base import ChannelError, Message
from runbooks.notifications.models import Notification, NotificationAttempt
from runbooks.notifications.queries import due
from runbooks.presentation import full_clock

SUBJECT_MAX, REASON_MAX = 300, 300
# What mail programs make a link of by themselves.
LINK = re.compile(r"://|^[^@]*\w\.[a-z]{2,}(?:[/:?#]|\W*$)", re.I)
# A worker that says nothing for this long is taken for dead; sending ends long before, by the channel's time limits.
LEASE = timedelta(minutes=2)
ATTEMPTS = 10
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
SWEEP_BATCH, SWEEP_ROWS, SWEEP_TIME = 100, 1000, timedelta(minutes=1)
LOST = "The worker stopped before it could say whether the notice had left."
# Said to people outside the incident as well: who broke the seal may have chosen who is in it. They name no title.
BEYOND_THE_ROOM = frozenset({"seal.broken", "seal.mended"})
Status = Notification.Status


class Announcing(Protocol):
    """An incident, as far as a notice needs it."""

    id: UUID
    reference: str
    title: str
    tlp: str
    is_exercise: bool
    head_sequence: int

    @property
    def zone(self) -> ZoneInfo: ...


def announce(
    incident: Announcing, event: str, context: Mapping[str, Any], *, at: datetime, to: Iterable[User] | None = None
) -> None:
    """Write one notice a recipient and channel, in the transaction of the change, then wake a worker.

    `event` names the template notifications/<event>.txt, which is rendered once, with `context`. Without `to`,
    everybody hears it who works in the incident, whoever did it included: a coordinator whose session was stolen
    learns from the notice what was done under their name. Call it after `record`.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("A notice belongs into the transaction of its change")
    subject, body = _render(incident, event, context, at)
    recipients = {user.pk: user for user in (working_in(incident.id) if to is None else to)}
    notices = [
        _notice(incident, event, subject, body, user=user, channel_name=name, at=at)
        for user in recipients.values()
        for name in CHANNELS
    ]
    # The same words about the same entry to the same person are one notice, even when an operation says them twice.
    Notification.objects.bulk_create(notices, batch_size=1000, ignore_conflicts=True)
    for notice in notices:
        if notice.status == Status.WAITING:
            wake("notifications.deliver", notification_id=str(notice.pk))


def working_in(incident_id: UUID) -> Iterable[User]:
    """Current members who work in the incident. Auditors only read, and administrators look after the portal."""
    return User.objects.filter(
        is_active=True, role__in=TALKING, memberships__incident_id=incident_id, memberships__ended_at__isnull=True
    )


def _render(incident: Announcing, event: str, context: Mapping[str, Any], at: datetime) -> tuple[str, str]:
    """Subject and body: the first line of the template's text, and the rest."""
    said = {
        key: full_clock(value, incident.zone) if isinstance(value, datetime) else _tamed(value)
        for key, value in context.items()
    }
    frame = {
        "reference": incident.reference,
        "incident_title": _tamed(incident.title),
        "tlp": f"TLP:{incident.tlp}",
        "is_exercise": incident.is_exercise,
        "entry": incident.head_sequence,
        "happened_at": full_clock(at, incident.zone),
        "portal": urlsplit(settings.PORTAL_URL).netloc,
    }
    subject, _, body = render_to_string(f"notifications/{event}.txt", said | frame).strip().partition("\n")
    return " ".join(subject.split())[:SUBJECT_MAX], body.strip() + "\n"


def _tamed(value: object) -> object:
    """What somebody wrote, on one line and without a link to press.

    It could otherwise break out of its line and say something as if the portal did, or lead where an attacker wants:
    whoever may declare an incident can have this mail sent to everybody.
    """
    if not isinstance(value, str):
        return value
    return " ".join(_unlinked(word) if LINK.search(word) else word for word in value.split())


def _unlinked(word: str) -> str:
    return word.replace("://", "[:]//").replace(".", "[.]")


def _notice(
    incident: Announcing, event: str, subject: str, body: str, *, user: User, channel_name: str, at: datetime
) -> Notification:
    address = channel(channel_name).address_of(user)
    refusal = channel(channel_name).refusal(address)
    said = (subject, body)
    return Notification(
        incident_id=incident.id,
        event=event,
        recipient=user,
        channel=channel_name,
        address=address,
        subject=subject,
        body=body,
        idempotency_key=key_of(incident.id, event, incident.head_sequence, user.pk, channel_name, *said),
        status=Status.HELD if refusal else Status.WAITING,
        reason=refusal,
        next_attempt_at=at,
        created_at=at,
    )


def key_of(incident_id: UUID, event: str, entry: int, user_id: int, channel_name: str, subject: str, body: str) -> str:
    """What names a notice; it also tells later of which entry it was written."""
    said = "\n".join([str(incident_id), event, str(entry), str(user_id), channel_name, subject, body])
    return hashlib.sha256(said.encode()).hexdigest()


def refusal_now(notice: Notification) -> str:
    """Why nothing may be sent now, to the address on file or to this person at all; empty when it may."""
    reached_by = channel(notice.channel)
    return reached_by.refusal(reached_by.address_of(notice.recipient)) or _has_left(notice)


def _has_left(notice: Notification) -> str:
    """Why this person is told nothing more; empty while they are in the incident and may sign in."""
    here = Q(memberships__incident_id=notice.incident_id, memberships__ended_at__isnull=True)
    if notice.event in BEYOND_THE_ROOM:
        here = Q()
    return "" if User.objects.filter(here, pk=notice.recipient_id, is_active=True).exists() else "not in the incident"


def requeue(notice: Notification, *, at: datetime) -> None:
    """Give a notice whose row the caller has locked another ten attempts, to the address now on file.

    The operation above says who may and when, and records it.
    """
    notice.address = channel(notice.channel).address_of(notice.recipient)
    notice.status, notice.reason = Status.WAITING, ""
    notice.attempts_made, notice.next_attempt_at, notice.leased_until = 0, at, None
    notice.save(update_fields=["address", "status", "reason", "attempts_made", "next_attempt_at", "leased_until"])
    wake("notifications.deliver", notification_id=str(notice.pk))


def sweep(*, clock: Callable[[], datetime]) -> int:
    """Deliver what a lost wake-up or a failed attempt left, oldest first; how many were found.

    Bounded by rows and time, since the next run comes anyway. `clock` and not a time, since a run can be longer than
    a lease.
    """
    began, found = clock(), 0
    after = None
    while found < SWEEP_ROWS:
        batch = due(began, after=after, limit=SWEEP_BATCH)
        for next_attempt_at, notification_id in batch:
            if clock() - began > SWEEP_TIME:
                return found
            deliver(notification_id=notification_id, at=clock())
            found, after = found + 1, (next_attempt_at, notification_id)
        if len(batch) < SWEEP_BATCH:
            break
    return found


def deliver(*, notification_id: UUID, at: datetime) -> None:
    """Try once to deliver a notice that is due, unless another worker holds it. At least once, never in a transaction.

    Claim (transaction), send, record (transaction): a worker killed between the last two sends again when the lease
    has run out, under the same idempotency key.
    """
    notice = _claim(notification_id, at)
    if notice is None:
        return
    message = Message(
        notice.address, notice.subject, notice.body, notice.idempotency_key, is_exercise=notice.incident.is_exercise
    )
    error = None
    try:
        channel(notice.channel).send(message)
    except ChannelError as raised:
        error = raised
    _finish(notice, error, at)


@transaction.atomic
def _claim(notification_id: UUID, at: datetime) -> Notification | None:
    """Lease the notice; None when it is not due, is held by somebody else, or may no longer be sent."""
    free = Q(leased_until__isnull=True) | Q(leased_until__lte=at)
    waiting = Notification.objects.filter(free, pk=notification_id, status=Status.WAITING, next_attempt_at__lte=at)
    notice = waiting.select_related("incident").select_for_update(skip_locked=True, of=("self",)).first()
    if notice is None:
        return None
    if notice.leased_until is not None:
        _record_attempt(notice, notice.leased_until - LEASE, LOST)
    # Asked again: the affected system may have turned out to be larger since the notice was written, and who left the
    # incident since, perhaps because their account fell, hears no more of it.
    refusal = channel(notice.channel).refusal(notice.address) or _has_left(notice)
    if refusal or notice.attempts_made >= ATTEMPTS:
        notice.status = Status.HELD if refusal else Status.FAILED
        notice.reason, notice.leased_until = refusal or LOST, None
        notice.save(update_fields=["status", "reason", "leased_until"])
        return None
    # Counted before and not after, so that a notice that kills its workers is given up, too.
    notice.attempts_made += 1
    notice.leased_until = at + LEASE
    notice.save(update_fields=["attempts_made", "leased_until"])
    return notice


@transaction.atomic
def _finish(held: Notification, error: ChannelError | None, at: datetime) -> None:
    """Record how the attempt ended. A worker that outlived its lease changes the notice only if it did deliver."""
    reason = str(error)[:REASON_MAX] if error else ""
    _record_attempt(held, at, reason)
    notice = Notification.objects.select_for_update().get(pk=held.pk)
    is_ours = notice.leased_until == held.leased_until
    if notice.status == Status.DELIVERED or (error and not is_ours):
        return
    notice.reason, notice.leased_until = reason, None
    if error is None:
        notice.status, notice.delivered_at = Status.DELIVERED, at
    elif error.permanent or notice.attempts_made >= ATTEMPTS:
        notice.status = Status.FAILED
    else:
        notice.next_attempt_at = at + wait_after(notice.attempts_made, notice.idempotency_key)
    notice.save(update_fields=["status", "reason", "leased_until", "next_attempt_at", "delivered_at"])


def _record_attempt(notice: Notification, at: datetime, reason: str) -> None:
    NotificationAttempt.objects.create(notification=notice, at=at, is_delivered=not reason, reason=reason)


def wait_after(attempts_made: int, idempotency_key: str) -> timedelta:
    """30 s, doubled with each attempt, at most 1 h; up to a quarter less by the notice's own key.

    So those that failed together do not all come back together, and nothing here is left to chance.
    """
    longest = min(FIRST_WAIT * (1 << (attempts_made - 1)), LONGEST_WAIT)
    return longest * (1 - int(idempotency_key[:4], 16) / 0xFFFF / 4)

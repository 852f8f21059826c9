"""Calling receivers: claim (transaction), call, note (transaction). At least once, and in order as far as it goes.

The entries of one incident are a line: one call of a line is under way at a time, and an entry waits for those before
it, though never longer than ten minutes after it was written down. So a receiver sees them in order while it answers,
and one that chokes on a single entry misses the others by minutes only; `sequence` says what came when.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import httpx
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from runbooks import outbound
from runbooks.access.vault import CannotOpenError, opened
from runbooks.outbound import OutboundError, Timeouts
from runbooks.outbound.signing import signed
from runbooks.subscriptions import queries
from runbooks.subscriptions.addresses import host_of
from runbooks.subscriptions.answers import REASON_MAX, Answer, harmless
from runbooks.subscriptions.models import Subscription, SubscriptionAttempt, SubscriptionDelivery, SubscriptionPlace
from runbooks.subscriptions.operations.disabling import disable
from runbooks.subscriptions.payload import allowed_now
from runbooks.timeline.models import TimelineEvent

HOLD: Final = timedelta(minutes=10)
LONGEST: Final = timedelta(minutes=3)
CONNECT_SECONDS: Final = 5
# Looking up a name comes on top of the time a receiver has.
LEASE_OF_TIMEOUTS: Final = 4
MOST_BYTES: Final = 1024 * 1024
LOST: Final = "The worker stopped before it could say how the call ended."
Clock = Callable[[], datetime]
Status = SubscriptionDelivery.Status


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery that is this worker's until the lease ends. `is_spent`: every attempt was made, and lost."""

    delivery: SubscriptionDelivery
    url: str
    secrets: tuple[str, ...]
    is_spent: bool = False


def attempts_at_most() -> int:
    return len(settings.SUBSCRIPTION_WAITS) + 1


def deliver_due(*, subscription_id: UUID, clock: Clock) -> int:
    """Call the receiver for whatever is due, for three minutes at most; how many calls it took. Never in a transaction.

    What is left then is found by the sweep.
    """
    began, taken = clock(), 0
    with ExitStack() as stack:
        client: httpx.Client | None = None
        for incident_id in queries.lines_due(subscription_id, began):
            while clock() - began < LONGEST and (held := claim(subscription_id, incident_id, at=clock())) is not None:
                client = client or stack.enter_context(_client())
                taken += _carry(client, held, clock)
    return taken


def deliver_one(*, delivery_id: UUID, clock: Clock) -> None:
    """Call for this one delivery now, whatever its line does: for a test that somebody waits for."""
    with _client() as client:
        held = claim_one(delivery_id, at=clock())
        if held is not None:
            _carry(client, held, clock)


def _client() -> httpx.Client:
    seconds = settings.SUBSCRIPTION_TIMEOUT
    timeout = Timeouts(connect=min(CONNECT_SECONDS, seconds), read=seconds, total=seconds)
    return outbound.client(timeout=timeout, headers={"Content-Type": "application/json"}, most_bytes=MOST_BYTES)


def _carry(client: httpx.Client, held: Held, clock: Clock) -> bool:
    answer = Answer(0, reason=LOST) if held.is_spent else _called(client, held, clock)
    if note(held, answer, at=clock()):
        disable(held.delivery.subscription_id, at=clock())
    return answer.is_taken


# Claiming


@transaction.atomic
def claim(subscription_id: UUID, incident_id: UUID | None, *, at: datetime) -> Held | None:
    """The next delivery of the line; None where nothing may be called. Tests (`incident_id` None) are in no line."""
    if incident_id is None:
        tests = _waiting(subscription_id).filter(sequence__isnull=True)
        return _leased(_claimable(_due(tests, at), skip=True).first(), at)
    places = SubscriptionPlace.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
    line = places.filter(subscription_id=subscription_id, incident_id=incident_id)
    place = line.select_related("subscription").first()
    if place is None or not queries.may_be_called(place.subscription, at):
        return None
    return _leased(_next_in_line(subscription_id, incident_id, at), at)


@transaction.atomic
def claim_one(delivery_id: UUID, *, at: datetime) -> Held | None:
    rows = SubscriptionDelivery.objects.filter(pk=delivery_id, status=Status.WAITING)
    return _leased(_claimable(_due(rows, at), skip=True).first(), at)


def _next_in_line(subscription_id: UUID, incident_id: UUID, at: datetime) -> SubscriptionDelivery | None:
    """The first of the line where it is due; else one that has waited for others long enough."""
    line = _waiting(subscription_id).filter(incident_id=incident_id)
    busy = Exists(line.filter(leased_until__gt=at))
    rows = _claimable(line).annotate(is_busy=busy).order_by("sequence")
    first = rows.first()
    if first is None or first.is_busy:
        return None
    return first if first.next_attempt_at <= at else _due(rows.filter(created_at__lte=at - HOLD), at).first()


def _waiting(subscription_id: UUID) -> QuerySet[SubscriptionDelivery]:
    return SubscriptionDelivery.objects.filter(subscription_id=subscription_id, status=Status.WAITING)


def _due(rows: QuerySet[SubscriptionDelivery], at: datetime) -> QuerySet[SubscriptionDelivery]:
    free = Q(leased_until__isnull=True) | Q(leased_until__lte=at)
    return rows.filter(free, next_attempt_at__lte=at)


def _claimable(rows: QuerySet[SubscriptionDelivery], *, skip: bool = False) -> QuerySet[SubscriptionDelivery]:
    """Locked, with all that a call needs, and with whether the content of the entry was taken out."""
    entry = TimelineEvent.objects.filter(incident=OuterRef("incident"), sequence=OuterRef("sequence"))
    told = rows.select_related("subscription", "incident").annotate(is_redacted=Exists(entry.filter(salt=None)))
    return told.select_for_update(skip_locked=skip, of=("self",))


def _leased(delivery: SubscriptionDelivery | None, at: datetime) -> Held | None:
    if delivery is None:
        return None
    if delivery.leased_until is not None:
        _keep(delivery, Answer(0, reason=LOST), delivery.leased_until)
    is_spent = delivery.attempts_made >= attempts_at_most()
    # Counted before the call and not after it, so that a call that kills its workers is given up as well.
    delivery.attempts_made += not is_spent
    delivery.leased_until = at + timedelta(seconds=LEASE_OF_TIMEOUTS * settings.SUBSCRIPTION_TIMEOUT)
    delivery.body = _allowed(delivery)
    delivery.save(update_fields=["attempts_made", "leased_until", "body"])
    subscription = delivery.subscription
    return Held(delivery, subscription.url, _secrets(subscription, at), is_spent)


def _allowed(delivery: SubscriptionDelivery) -> str:
    """Asked at each call: the label may have been raised since, the entry's content taken out."""
    if delivery.incident is None:
        return delivery.body
    is_redacted: bool = getattr(delivery, "is_redacted", True)
    return allowed_now(delivery.body, tlp=delivery.incident.tlp, is_redacted=is_redacted)


def _secrets(subscription: Subscription, at: datetime) -> tuple[str, ...]:
    """As they are kept, the newest first."""
    until = subscription.previous_secret_until
    is_both = until is not None and until > at
    return (subscription.secret, subscription.previous_secret) if is_both else (subscription.secret,)


# Calling


def _called(client: httpx.Client, held: Held, clock: Clock) -> Answer:
    began = time.monotonic()
    try:
        body, at = held.delivery.body.encode(), clock()
        headers = signed([opened(kept) for kept in held.secrets], str(held.delivery.pk), body, at)
        response = client.post(held.url, content=body, headers=headers)
    except OutboundError as error:
        return Answer(_since(began), reason=str(error)[:REASON_MAX], retry_after=error.retry_after)
    except CannotOpenError as error:
        return Answer(_since(began), reason=str(error))
    status, reason = response.status_code, ""
    if not 200 <= status < 300:
        reason = f"{host_of(held.url)} answered {status}."
    wait = outbound.retry_after(response, clock())
    return Answer(_since(began), status, harmless(response.content), reason, wait)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


# Noting


@transaction.atomic
def note(held: Held, answer: Answer, *, at: datetime) -> bool:
    """Write down how the call ended; whether the subscription is beyond hope now.

    A worker that outlived its lease changes the delivery only if it was taken.
    """
    subscription = Subscription.objects.select_for_update(no_key=True).get(pk=held.delivery.subscription_id)
    delivery = SubscriptionDelivery.objects.select_for_update().get(pk=held.delivery.pk)
    if not held.is_spent:
        _keep(delivery, answer, at)
    is_ours = delivery.status == Status.WAITING and delivery.leased_until == held.delivery.leased_until
    if delivery.status == Status.DELIVERED or not (answer.is_taken or is_ours):
        return False
    _settle(delivery, answer, at)
    if delivery.sequence is None:
        return False
    _count(subscription, delivery, answer, at)
    if answer.is_taken:
        return False
    return Subscription.objects.filter(queries.ACTIVE & queries.BEYOND_HOPE, pk=subscription.pk).exists()


def _keep(delivery: SubscriptionDelivery, answer: Answer, at: datetime) -> None:
    SubscriptionAttempt.objects.create(
        delivery=delivery,
        at=at,
        milliseconds=answer.milliseconds,
        status_code=answer.status,
        answer=answer.text,
        reason=answer.reason,
    )


def _settle(delivery: SubscriptionDelivery, answer: Answer, at: datetime) -> None:
    delivery.leased_until = None
    if answer.is_taken:
        delivery.status, delivery.delivered_at = Status.DELIVERED, at
    elif answer.is_gone or delivery.sequence is None or delivery.attempts_made >= attempts_at_most():
        delivery.status = Status.FAILED
    else:
        delivery.next_attempt_at = at + wait_after(delivery, answer)
    delivery.save(update_fields=["leased_until", "status", "delivered_at", "next_attempt_at"])


def wait_after(delivery: SubscriptionDelivery, answer: Answer) -> timedelta:
    """As the settings say for this attempt, up to a quarter less by the delivery's own name; as long as was asked for.

    So those that failed together do not all come back together, and nothing here is left to chance.
    """
    longest = timedelta(seconds=settings.SUBSCRIPTION_WAITS[delivery.attempts_made - 1])
    wait = longest * (1 - int(delivery.pk.hex[:4], 16) / 0xFFFF / 4)
    return max(wait, timedelta(seconds=answer.retry_after or 0))


def _count(subscription: Subscription, delivery: SubscriptionDelivery, answer: Answer, at: datetime) -> None:
    """What the receiver's answer says of the receiver."""
    failing_since = subscription.failing_since
    subscription.called_at, subscription.last_answer = at, answer.in_short
    if answer.is_taken:
        subscription.worked_at, subscription.failures, subscription.failing_since = at, 0, None
    elif answer.is_gone:
        subscription.failures = queries.GIVEN_UP_MOST
    else:
        subscription.failures += delivery.status == Status.FAILED
        if not answer.is_later:
            subscription.failing_since = failing_since or at
    subscription.save(update_fields=["called_at", "last_answer", "worked_at", "failures", "failing_since"])
    if answer.is_taken and failing_since is not None and at - failing_since >= HOLD:
        # It was away and is back: what waits for a far attempt goes now, in order.
        later = _waiting(subscription.pk).filter(leased_until__isnull=True, next_attempt_at__gt=at)
        later.update(next_attempt_at=at)

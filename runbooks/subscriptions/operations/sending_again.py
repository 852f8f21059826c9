"""Calls that people ask for: a test, and deliveries once more."""

import uuid
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor
from runbooks.background import wake
from runbooks.errors import DomainError, NotFoundError
from runbooks.subscriptions.models import Subscription, SubscriptionDelivery
from runbooks.subscriptions.operations.delivering import Clock, deliver_one
from runbooks.subscriptions.operations.managing import held
from runbooks.subscriptions.payload import PING, body_of_ping

AT_ONCE_MOST: Final = 1000
Status = SubscriptionDelivery.Status


class CannotSendAgainError(DomainError):
    """The delivery waits already, or is a test."""


def ping(*, subscription_id: UUID, actor: Actor, clock: Clock) -> SubscriptionDelivery:
    """Call the receiver with a test and wait for its answer, also while the subscription is paused or disabled.

    It is tried once and counts neither for nor against the receiver. Never inside a transaction.
    """
    test = _write_test(subscription_id, actor, clock())
    deliver_one(delivery_id=test.pk, clock=clock)
    return SubscriptionDelivery.objects.get(pk=test.pk)


@transaction.atomic
def _write_test(subscription_id: UUID, actor: Actor, at: datetime) -> SubscriptionDelivery:
    subscription = held(subscription_id, actor)
    delivery_id = uuid.uuid4()
    return SubscriptionDelivery.objects.create(
        id=delivery_id,
        subscription=subscription,
        kind=PING,
        body=body_of_ping(delivery_id, subscription.pk, at),
        next_attempt_at=at,
        created_at=at,
    )


@transaction.atomic
def send_again(*, subscription_id: UUID, delivery_id: UUID, actor: Actor, at: datetime) -> Subscription:
    """One delivery once more, under the same identifier, with all its attempts anew."""
    subscription = held(subscription_id, actor)
    delivery = subscription.deliveries.select_for_update().filter(pk=delivery_id).first()
    if delivery is None:
        raise NotFoundError("There is no such delivery.")
    if delivery.sequence is None:
        raise CannotSendAgainError("A test is not sent again. Send another one.")
    if delivery.status == Status.WAITING:
        raise CannotSendAgainError(f"Entry #{delivery.sequence} is on its way already.")
    _requeue([delivery], at)
    wake("subscriptions.deliver", subscription_id=str(subscription.pk))
    return subscription


@transaction.atomic
def send_failed_again(*, subscription_id: UUID, actor: Actor, at: datetime) -> int:
    """What was given up once more, oldest first, a thousand at most; how many."""
    subscription = held(subscription_id, actor)
    failed = subscription.deliveries.filter(status=Status.FAILED, sequence__isnull=False)
    rows = list(failed.select_for_update().order_by("created_at", "sequence")[:AT_ONCE_MOST])
    _requeue(rows, at)
    if rows:
        wake("subscriptions.deliver", subscription_id=str(subscription.pk))
    return len(rows)


def _requeue(rows: list[SubscriptionDelivery], at: datetime) -> None:
    SubscriptionDelivery.objects.filter(pk__in=[row.pk for row in rows]).update(
        status=Status.WAITING, attempts_made=0, next_attempt_at=at, leased_until=None, delivered_at=None
    )

"""What people ask for: a test, and deliveries once more."""

from uuid import uuid4

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.subscriptions.models import Subscription, SubscriptionAttempt, SubscriptionDelivery
from runbooks.subscriptions.operations.managing import pause
from runbooks.subscriptions.operations.sending_again import CannotSendAgainError, ping, send_again, send_failed_again
from runbooks.subscriptions.operations.sweeping import sweep
from tests.connectors.served import Said
from tests.factories import make_entry
from tests.subscriptions.receiving import Clock, Receiver, carried, subscribed

pytestmark = pytest.mark.django_db


def test_a_test_is_tried_once_and_counts_for_nothing(
    receiver: Receiver, subscription: Subscription, coordinator: User
) -> None:
    receiver.answer = lambda _: Said(500, b"oh")
    before = Subscription.objects.values().get()
    sent = ping(subscription_id=subscription.pk, actor=actor_for(coordinator), clock=timezone.now)
    assert (sent.status, sent.sequence, sent.incident) == ("failed", None, None)
    attempt = SubscriptionAttempt.objects.get()
    assert (attempt.status_code, attempt.answer, attempt.reason) == (500, "oh", "127.0.0.1 answered 500.")
    assert Subscription.objects.values().get() == before
    assert carried(subscription) == 0
    assert len(receiver.asked) == 1


def test_a_paused_subscription_can_be_tested(receiver: Receiver, subscription: Subscription, coordinator: User) -> None:
    pause(subscription_id=subscription.pk, actor=actor_for(coordinator), at=timezone.now())
    assert ping(subscription_id=subscription.pk, actor=actor_for(coordinator), clock=timezone.now).delivered_at


def test_a_test_whose_page_died_is_sent_by_a_worker(
    receiver: Receiver, subscription: Subscription, coordinator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbooks.subscriptions.operations.sending_again.deliver_one", lambda **_: None)
    pause(subscription_id=subscription.pk, actor=actor_for(coordinator), at=timezone.now())
    ping(subscription_id=subscription.pk, actor=actor_for(coordinator), clock=timezone.now)
    assert carried(subscription) == 1


def test_what_was_given_up_is_sent_again_under_its_own_identifier(
    receiver: Receiver, subscription: Subscription, incident: Incident, coordinator: User
) -> None:
    for number in range(3):
        make_entry(incident, f"Entry {number}")
    clock = Clock()
    sweep(clock=clock)
    SubscriptionDelivery.objects.update(status="failed", attempts_made=8)
    ids = {str(one) for one in SubscriptionDelivery.objects.values_list("pk", flat=True)}
    assert carried(subscription, clock) == 0
    actor = actor_for(coordinator)
    assert send_failed_again(subscription_id=subscription.pk, actor=actor, at=clock()) == 3
    assert carried(subscription, clock) == 3
    assert {asked.headers["webhook-id"] for asked in receiver.asked} == ids
    assert receiver.sequences == sorted(receiver.sequences)
    assert send_failed_again(subscription_id=subscription.pk, actor=actor, at=clock()) == 0


def test_one_delivery_is_sent_again_though_it_was_taken(
    receiver: Receiver, subscription: Subscription, incident: Incident, coordinator: User
) -> None:
    make_entry(incident)
    carried(subscription)
    delivery = SubscriptionDelivery.objects.get()
    who = {"subscription_id": subscription.pk, "actor": actor_for(coordinator), "at": timezone.now()}
    send_again(**who, delivery_id=delivery.pk)
    with pytest.raises(CannotSendAgainError, match="on its way"):
        send_again(**who, delivery_id=delivery.pk)
    carried(subscription)
    assert len(receiver.asked) == 2
    assert receiver.asked[0].headers["webhook-id"] == receiver.asked[1].headers["webhook-id"]


def test_what_is_no_delivery_of_it_is_not_sent_again(
    receiver: Receiver, subscription: Subscription, incident: Incident, coordinator: User, administrator: User
) -> None:
    other = subscribed(receiver, administrator, name="Other").subscription
    make_entry(incident)
    carried(other)
    theirs = SubscriptionDelivery.objects.get(subscription=other)
    who = {"subscription_id": subscription.pk, "actor": actor_for(coordinator)}
    for delivery_id in (theirs.pk, uuid4()):
        with pytest.raises(NotFoundError):
            send_again(**who, delivery_id=delivery_id, at=timezone.now())
    test = ping(**who, clock=timezone.now)
    with pytest.raises(CannotSendAgainError, match="another one"):
        send_again(**who, delivery_id=test.pk, at=timezone.now())


def test_nobody_else_may(subscription: Subscription, outsider: User, responder: User) -> None:
    for user, error in ((outsider, NotFoundError), (responder, NotAllowedError)):
        who = {"subscription_id": subscription.pk, "actor": actor_for(user)}
        with pytest.raises(error):
            ping(**who, clock=timezone.now)
        with pytest.raises(error):
            send_failed_again(**who, at=timezone.now())
        with pytest.raises(error):
            send_again(**who, delivery_id=uuid4(), at=timezone.now())
    assert not SubscriptionDelivery.objects.exists()

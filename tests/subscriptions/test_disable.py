"""A receiver that takes nothing any more: the portal stops calling, and says so."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.subscriptions.models import Subscription, SubscriptionDelivery
from runbooks.subscriptions.operations.disabling import disable, disable_failing
from runbooks.subscriptions.operations.managing import resume
from runbooks.timeline.models import TimelineEvent
from tests.connectors.served import Said
from tests.factories import make_entry
from tests.subscriptions.receiving import TAKEN, Clock, Receiver, carried, subscribed

pytestmark = pytest.mark.django_db


def fail_for(subscription: Subscription, clock: Clock, **length: float) -> None:
    """Beat by beat, from one attempt to the next; a receiver that fails is left alone for ten minutes at most."""
    until = clock.at + timedelta(**length)
    while clock.at < until:
        carried(subscription, clock)
        waiting = SubscriptionDelivery.objects.filter(status="waiting").order_by("next_attempt_at").first()
        clock.at = min(until, max(clock.at + timedelta(minutes=10), waiting.next_attempt_at if waiting else until))


def test_five_deliveries_given_up_in_a_row_disable_it(
    receiver: Receiver, subscription: Subscription, incident: Incident, coordinator: User, approver: User
) -> None:
    for number in range(5):
        make_entry(incident, f"Entry {number}")
    receiver.answer = lambda _: Said(500)
    clock = Clock()
    fail_for(subscription, clock, hours=40)
    kept = Subscription.objects.get()
    assert kept.disabled_at is not None
    assert kept.disabled_because == (
        "5 deliveries to 127.0.0.1 in a row were given up. The last: 127.0.0.1 answered 500."
    )
    entry = TimelineEvent.objects.get(incident=incident, kind="subscription.disabled")
    assert entry.is_automated
    assert kept.disabled_because in entry.summary
    notices = Notification.objects.filter(event="subscription.disabled")
    assert {notice.recipient for notice in notices} == {coordinator, approver}
    assert all("127[.]0[.]0[.]1" in notice.body or "127.0.0.1" in notice.body for notice in notices)
    calls = len(receiver.asked)
    make_entry(incident)
    fail_for(subscription, clock, hours=1)
    assert len(receiver.asked) == calls


def test_four_given_up_and_one_taken_do_not(receiver: Receiver, subscription: Subscription, incident: Incident) -> None:
    for number in range(4):
        make_entry(incident, f"Entry {number}")
    receiver.answer = lambda _: Said(500)
    clock = Clock()
    fail_for(subscription, clock, hours=40)
    assert Subscription.objects.get().failures == 4
    receiver.answer = lambda _: TAKEN
    make_entry(incident)
    fail_for(subscription, clock, hours=1)
    kept = Subscription.objects.get()
    assert (kept.failures, kept.failing_since, kept.disabled_at) == (0, None, None)


def test_three_days_of_failing_disable_it_though_few_were_given_up(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    receiver.answer = lambda _: Said(500)
    clock = Clock()
    make_entry(incident)
    fail_for(subscription, clock, hours=71)
    assert Subscription.objects.get().disabled_at is None
    clock.go(hours=2)
    make_entry(incident)
    carried(subscription, clock)
    kept = Subscription.objects.get()
    assert kept.failures < 5
    assert "took no call for three days" in kept.disabled_because


def test_410_disables_it_at_once(receiver: Receiver, subscription: Subscription, incident: Incident) -> None:
    make_entry(incident)
    receiver.answer = lambda _: Said(410)
    carried(subscription)
    assert Subscription.objects.get().disabled_because == "127.0.0.1 answered 410: it wants no more calls."
    assert SubscriptionDelivery.objects.get().status == "failed"
    assert carried(subscription) == 0
    assert len(receiver.asked) == 1


def test_a_receiver_that_asks_for_patience_is_not_taken_for_dead(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    make_entry(incident)
    receiver.answer = lambda _: Said(429)
    clock = Clock()
    fail_for(subscription, clock, hours=12)
    assert Subscription.objects.get().failing_since is None


def test_one_of_all_incidents_is_said_to_everybody_who_manages_those(
    receiver: Receiver, incident: Incident, coordinator: User, administrator: User, responder: User
) -> None:
    subscription = subscribed(receiver, administrator).subscription
    make_entry(incident)
    receiver.answer = lambda _: Said(410)
    carried(subscription)
    assert Subscription.objects.get().disabled_at is not None
    assert not TimelineEvent.objects.filter(kind__startswith="subscription.").exists()
    told = {notice.recipient for notice in Notification.objects.filter(event="subscription.disabled")}
    assert {coordinator, administrator} <= told
    assert responder not in told
    assert set(Notification.objects.values_list("incident", flat=True)) == {None}


def test_what_a_dead_worker_could_not_say_any_more_the_sweep_says(
    subscription: Subscription, incident: Incident
) -> None:
    Subscription.objects.update(failures=5, last_answer="127.0.0.1 answered 500.", called_at=timezone.now())
    assert disable_failing(at=timezone.now()) == 1
    assert disable_failing(at=timezone.now()) == 0
    assert TimelineEvent.objects.filter(kind="subscription.disabled").count() == 1


def test_one_that_was_mended_meanwhile_is_left_alone(subscription: Subscription) -> None:
    assert not disable(subscription.pk, at=timezone.now())
    assert Subscription.objects.get().disabled_at is None


def test_a_disabled_one_is_resumed_with_what_happened_meanwhile(
    receiver: Receiver, subscription: Subscription, incident: Incident, coordinator: User
) -> None:
    make_entry(incident)
    receiver.answer = lambda _: Said(410)
    carried(subscription)
    later = make_entry(incident)
    receiver.answer = lambda _: TAKEN
    receiver.asked.clear()
    resume(subscription_id=subscription.pk, skip=False, actor=actor_for(coordinator), at=timezone.now())
    carried(subscription)
    assert later.sequence in receiver.sequences
    kept = Subscription.objects.get()
    assert (kept.failures, kept.disabled_at, kept.disabled_because) == (0, None, "")

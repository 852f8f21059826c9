"""Order: kept while a receiver answers, and given up for minutes at most where it chokes on one entry."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.incidents.models import Incident
from runbooks.subscriptions.models import Subscription, SubscriptionDelivery
from runbooks.subscriptions.operations import delivering
from runbooks.subscriptions.operations.delivering import claim
from runbooks.subscriptions.operations.sweeping import sweep
from tests.connectors.served import Asked, Said
from tests.factories import make_entry, make_incident
from tests.subscriptions.receiving import TAKEN, Clock, Receiver, carried, subscribed

pytestmark = pytest.mark.django_db


def entries(incident: Incident, count: int) -> list[int]:
    return [make_entry(incident, f"Entry {number}").sequence for number in range(count)]


def choking_on(sequence: int) -> object:
    def answer(asked: Asked) -> Said:
        return Said(500) if asked.content["sequence"] == sequence else TAKEN

    return answer


def test_entries_arrive_in_their_order(receiver: Receiver, subscription: Subscription, incident: Incident) -> None:
    sequences = entries(incident, 7)
    assert carried(subscription) == 7
    assert receiver.sequences == sequences


def test_an_entry_waits_for_the_one_before_it(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    first, second = entries(incident, 2)
    receiver.answer = lambda _: Said(500)
    clock = Clock()
    carried(subscription, clock)
    assert receiver.sequences == [first]
    receiver.answer = lambda _: TAKEN
    assert carried(subscription, clock) == 0
    clock.go(seconds=6)
    assert carried(subscription, clock) == 2
    assert receiver.sequences == [first, first, second]


def test_an_entry_that_a_receiver_chokes_on_holds_the_others_back_for_ten_minutes_and_no_longer(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    first, second, third = entries(incident, 3)
    receiver.answer = choking_on(first)  # type: ignore[assignment]
    clock = Clock()
    began = clock.at
    while clock.at - began < timedelta(minutes=9, seconds=30):
        carried(subscription, clock)
        clock.go(seconds=30)
    assert set(receiver.sequences) == {first}
    clock.go(seconds=40)
    carried(subscription, clock)
    clock.go(minutes=1)
    carried(subscription, clock)
    assert [one for one in receiver.sequences if one != first] == [second, third]
    assert SubscriptionDelivery.objects.get(status="waiting").sequence == first


def test_an_entry_recorded_later_waits_ten_minutes_of_its_own(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    (first,) = entries(incident, 1)
    receiver.answer = choking_on(first)  # type: ignore[assignment]
    clock = Clock()
    for _ in range(6):
        carried(subscription, clock)
        clock.go(minutes=10)
    (later,) = entries(incident, 1)
    carried(subscription, clock)
    assert later not in receiver.sequences
    clock.go(minutes=11)
    carried(subscription, clock)
    assert later in receiver.sequences


def test_one_incident_waits_for_no_other(receiver: Receiver, incident: Incident, administrator: User) -> None:
    other = make_incident()
    subscription = subscribed(receiver, administrator).subscription
    make_entry(incident)
    make_entry(other)
    reference = incident.reference
    receiver.answer = lambda asked: Said(500) if asked.content["incident"]["reference"] == reference else TAKEN
    clock = Clock()
    carried(subscription, clock)
    clock.go(seconds=1)
    carried(subscription, clock)
    assert {asked.content["incident"]["reference"] for asked in receiver.asked} == {reference, other.reference}
    assert SubscriptionDelivery.objects.get(status="delivered").incident == other


def test_two_workers_never_call_for_one_incident_at_once(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    entries(incident, 2)
    at = timezone.now()
    sweep(clock=lambda: at)
    assert claim(subscription.pk, incident.pk, at=at) is not None
    assert claim(subscription.pk, incident.pk, at=at) is None


def test_a_receiver_that_takes_nothing_is_called_less_and_less(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    entries(incident, 60)
    receiver.answer = lambda _: Said(503)
    clock, calls = Clock(), []
    for _ in range(4):
        before = len(receiver.asked)
        for _ in range(20):
            carried(subscription, clock)
            clock.go(minutes=3)
        calls.append(len(receiver.asked) - before)
    # Without a rest it would be some hundreds in each hour: of each entry its own attempts.
    assert calls[-1] <= 7
    assert sum(calls) < 60


def test_a_receiver_that_comes_back_gets_everything_at_once_and_in_order(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    sequences = entries(incident, 20)
    receiver.answer = lambda _: Said(503)
    clock = Clock()
    for _ in range(30):
        carried(subscription, clock)
        clock.go(minutes=4)
    receiver.answer = lambda _: TAKEN
    receiver.asked.clear()
    for _ in range(5):
        carried(subscription, clock)
        clock.go(minutes=3)
    assert sorted(receiver.sequences) == sequences
    first, *rest = receiver.sequences
    assert rest == [one for one in sequences if one != first]


def test_a_line_that_nobody_may_call_is_left_alone(subscription: Subscription, incident: Incident) -> None:
    assert delivering.claim(subscription.pk, incident.pk, at=timezone.now()) is None

"""Calls: what counts as taken, what is tried again and when, and what a dead worker leaves behind."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.incidents.models import Incident
from runbooks.subscriptions.answers import Answer
from runbooks.subscriptions.models import Subscription, SubscriptionAttempt, SubscriptionDelivery, SubscriptionPlace
from runbooks.subscriptions.operations import delivering, sweeping
from runbooks.subscriptions.operations.delivering import claim, deliver_due, note
from runbooks.subscriptions.operations.sweeping import sweep, write_deliveries
from tests.connectors.served import HANG_UP, Asked, Said
from tests.factories import make_entry
from tests.subscriptions.receiving import TAKEN, Clock, Receiver, carried, subscribed

pytestmark = pytest.mark.django_db
WAITS = [5, 30, 300, 1800, 7200, 21600, 43200]


def only() -> SubscriptionDelivery:
    return SubscriptionDelivery.objects.get()


# From entries to deliveries


def test_each_entry_is_written_down_once_however_often_beat_comes(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    for number in range(5):
        make_entry(incident, f"Entry {number}")
    assert sweep(clock=timezone.now) == 5
    assert sweep(clock=timezone.now) == 0
    sequences = list(SubscriptionDelivery.objects.order_by("sequence").values_list("sequence", flat=True))
    incident.refresh_from_db()
    assert sequences == list(range(incident.head_sequence - 4, incident.head_sequence + 1))


def test_more_entries_than_one_transaction_takes_are_all_written(
    receiver: Receiver, subscription: Subscription, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 2)
    for number in range(5):
        make_entry(incident, f"Entry {number}")
    assert sweep(clock=timezone.now) == 5


def test_the_place_moves_over_what_was_not_asked_for(
    receiver: Receiver, incident: Incident, coordinator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = subscribed(receiver, coordinator, incident, kinds=["step", "entry.corrected"]).subscription
    make_entry(incident)
    wanted = make_entry(incident, kind="step.completed")
    make_entry(incident)
    assert carried(subscription) == 1
    assert receiver.sequences == [wanted.sequence]
    incident.refresh_from_db()
    assert SubscriptionPlace.objects.get().sequence == incident.head_sequence
    assert write_deliveries(subscription.pk, incident.pk, at=timezone.now()) is None


def test_beat_wakes_a_worker_for_what_is_due(
    receiver: Receiver, subscription: Subscription, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[tuple[str, Any]] = []
    monkeypatch.setattr(sweeping, "wake", lambda task, **about: woken.append((task, about)))
    sweep(clock=timezone.now)
    assert woken == []
    make_entry(incident)
    sweep(clock=timezone.now)
    assert woken == [("subscriptions.deliver", {"subscription_id": str(subscription.pk)})]


# Answers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_answer_between_200_and_299_is_taken(
    status: int, receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    make_entry(incident)
    receiver.answer = lambda _: Said(status, b"" if status == 204 else b"thanks")
    assert carried(subscription) == 1
    delivery, attempt = only(), SubscriptionAttempt.objects.get()
    assert (delivery.status, delivery.leased_until) == ("delivered", None)
    assert delivery.delivered_at is not None
    assert (attempt.status_code, attempt.reason) == (status, "")
    kept = Subscription.objects.get()
    assert kept.worked_at == kept.called_at
    assert kept.last_answer.startswith(f"{status} in ")
    assert carried(subscription) == 0
    assert len(receiver.asked) == 1


@pytest.mark.parametrize("said", [Said(500), Said(503), Said(404), Said(401), Said(408), Said(425), Said(429), HANG_UP])
def test_what_fails_is_tried_eight_times_within_about_a_day_and_given_up(
    said: Said, receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    make_entry(incident)
    receiver.answer = lambda _: said
    clock, waits = Clock(), []
    began = clock.at
    for _ in range(20):
        carried(subscription, clock)
        delivery = only()
        if delivery.status != "waiting":
            break
        waits.append((delivery.next_attempt_at - clock.at).total_seconds())
        assert carried(subscription, clock) == 0
        clock.at = delivery.next_attempt_at
        # A receiver that fails is left alone for up to ten minutes more.
        clock.go(minutes=10)
    assert only().status == "failed"
    assert len(receiver.asked) == SubscriptionAttempt.objects.count() == 8
    assert all(0.75 * most <= wait <= most for wait, most in zip(waits, WAITS, strict=True))
    assert timedelta(hours=15) < clock.at - began < timedelta(hours=24)
    assert all(SubscriptionAttempt.objects.values_list("reason", flat=True))


@pytest.mark.parametrize(("asked", "seconds"), [("120", 120), ("99999", 3600), ("1", 5), ("soon", 5)])
def test_a_receiver_that_says_when_to_come_back_is_heard(
    asked: str, seconds: int, receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    make_entry(incident)
    receiver.answer = lambda _: Said(429, headers={"Retry-After": asked})
    clock = Clock()
    carried(subscription, clock)
    wait = (only().next_attempt_at - clock.at).total_seconds()
    assert 0.75 * seconds <= wait <= seconds


def test_a_redirect_is_refused_and_says_so(receiver: Receiver, subscription: Subscription, incident: Incident) -> None:
    make_entry(incident)
    receiver.answer = lambda _: Said(302, headers={"Location": "http://127.0.0.1:1/"})
    carried(subscription)
    assert len(receiver.asked) == 1
    assert "redirect (302)" in SubscriptionAttempt.objects.get().reason
    assert only().status == "waiting"


def test_a_receiver_that_says_nothing_is_left_after_the_time_it_has(
    receiver: Receiver, subscription: Subscription, incident: Incident, settings: Any
) -> None:
    settings.SUBSCRIPTION_TIMEOUT = 0.2
    make_entry(incident)

    def silent(_: Asked) -> Said:
        time.sleep(0.5)
        return TAKEN

    receiver.answer = silent
    carried(subscription)
    attempt = SubscriptionAttempt.objects.get()
    assert "did not answer in time" in attempt.reason
    assert attempt.milliseconds >= 200


def test_an_answer_is_kept_short_and_harmless(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    make_entry(incident)
    hostile = "<script>\x00\x1b[31m\x7f\u202egnp.exe\u200b\r\nnext\tline".encode() + b"\xff" + b"x" * 9000
    receiver.answer = lambda _: Said(500, hostile)
    carried(subscription)
    kept = SubscriptionAttempt.objects.get().answer
    assert len(kept) == 2000
    assert kept.startswith("<script>\u2400\u241b[31m\u2421\ufffdgnp.exe\ufffd\nnext\tline\ufffdxxx")


def test_a_secret_that_cannot_be_opened_is_a_failure_that_says_so(
    receiver: Receiver, subscription: Subscription, incident: Incident, settings: Any
) -> None:
    make_entry(incident)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key that is long enough for this", []
    carried(subscription)
    assert not receiver.asked
    assert "SECRET_KEY was changed" in SubscriptionAttempt.objects.get().reason


# Dead workers


def test_a_delivery_whose_worker_died_is_tried_again_when_the_lease_ends(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    make_entry(incident)
    clock = Clock()
    sweep(clock=clock)
    assert claim(subscription.pk, incident.pk, at=clock()) is not None
    assert carried(subscription, clock) == 0
    clock.go(seconds=30)
    assert carried(subscription, clock) == 0
    clock.go(seconds=31)
    assert carried(subscription, clock) == 1
    assert list(SubscriptionAttempt.objects.order_by("pk").values_list("reason", flat=True)) == [delivering.LOST, ""]


def test_a_delivery_that_kills_its_workers_is_given_up(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    make_entry(incident)
    clock = Clock()
    sweep(clock=clock)
    for _ in range(8):
        assert claim(subscription.pk, incident.pk, at=clock()) is not None
        clock.go(minutes=2)
    assert carried(subscription, clock) == 0
    assert only().status == "failed"
    assert not receiver.asked
    assert SubscriptionAttempt.objects.filter(reason=delivering.LOST).count() == 8
    assert Subscription.objects.get().failures == 1


def test_a_worker_that_outlived_its_lease_says_only_that_it_was_taken(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    make_entry(incident)
    clock = Clock()
    sweep(clock=clock)
    slow = claim(subscription.pk, incident.pk, at=clock())
    assert slow is not None
    clock.go(minutes=2)
    second = claim(subscription.pk, incident.pk, at=clock())
    assert second is not None
    note(slow, Answer(9, 500, reason="It failed."), at=clock())
    assert only().leased_until == second.delivery.leased_until
    note(slow, Answer(9, 200), at=clock())
    assert only().status == "delivered"
    note(second, Answer(9, 500, reason="It failed."), at=clock())
    assert only().status == "delivered"


def test_a_worker_stops_after_three_minutes_and_leaves_the_rest_to_the_next(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    for number in range(5):
        make_entry(incident, f"Entry {number}")
    clock = Clock()
    sweep(clock=clock)

    def slow(_: Asked) -> Said:
        clock.go(minutes=1)
        return TAKEN

    receiver.answer = slow
    assert deliver_due(subscription_id=subscription.pk, clock=clock) == 3
    assert deliver_due(subscription_id=subscription.pk, clock=clock) == 2

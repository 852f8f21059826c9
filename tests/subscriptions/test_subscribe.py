"""Subscribing, pausing, resuming, exchanging the secret, ending: who may, what is refused, what is recorded."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.access.vault import opened
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.subscriptions.models import Subscription, SubscriptionPlace
from runbooks.subscriptions.operations import managing
from runbooks.subscriptions.operations.managing import (
    CannotChangeSubscriptionError,
    CannotSubscribeError,
    Made,
    end,
    exchange_secret,
    pause,
    resume,
)
from runbooks.timeline.models import TimelineEvent
from tests.connectors.served import Said
from tests.factories import make_entry, make_incident, make_user
from tests.subscriptions.receiving import Receiver, carried, is_signed, subscribed

pytestmark = pytest.mark.django_db
VERBS = (pause, end, exchange_secret)


def kinds_recorded(incident: Incident) -> list[str]:
    found = TimelineEvent.objects.filter(incident=incident, kind__startswith="subscription.")
    return list(found.order_by("sequence").values_list("kind", flat=True))


# Who may


@pytest.mark.parametrize("role", set(Role) - {Role.ADMINISTRATOR, Role.COORDINATOR})
def test_only_administrators_and_coordinators_subscribe_to_all_incidents(role: Role, receiver: Receiver) -> None:
    with pytest.raises(NotAllowedError):
        subscribed(receiver, make_user(role))
    assert not Subscription.objects.exists()


@pytest.mark.parametrize("role", set(Role) - {Role.COORDINATOR})
def test_only_coordinators_in_it_subscribe_to_an_incident(role: Role, receiver: Receiver) -> None:
    member = make_user(role)
    incident = make_incident(members=(member,))
    with pytest.raises(NotAllowedError):
        subscribed(receiver, member, incident)


def test_an_incident_one_is_not_in_cannot_be_subscribed(
    receiver: Receiver, incident: Incident, outsider: User, administrator: User
) -> None:
    for user in (outsider, administrator):
        with pytest.raises(NotFoundError):
            subscribed(receiver, user, incident)


def test_a_subscription_of_an_incident_is_managed_by_its_coordinators_alone(
    subscription: Subscription, outsider: User, responder: User
) -> None:
    for verb in VERBS:
        for user, error in ((outsider, NotFoundError), (responder, NotAllowedError)):
            with pytest.raises(error):
                verb(subscription_id=subscription.pk, actor=actor_for(user), at=timezone.now())


def test_what_is_not_there_is_not_found(coordinator: User) -> None:
    for verb in VERBS:
        with pytest.raises(NotFoundError):
            verb(subscription_id=uuid4(), actor=actor_for(coordinator), at=timezone.now())


# What is refused


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"url": ""}, "url"),
        ({"url": "ftp://siem.example/"}, "url"),
        ({"url": "http://siem.example/"}, "url"),
        ({"url": "https://user:secret@siem.example/"}, "url"),
        ({"url": "https://siem.example/#part"}, "url"),
        ({"url": "https://siem.example/a b"}, "url"),
        ({"url": f"https://siem.example/{'x' * 500}"}, "url"),
        ({"url": "https://10.1.2.3/"}, "url"),
        ({"url": "https://169.254.169.254/latest/"}, "url"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "url"),
        ({"kinds": ["step", "steps.completed"]}, "kinds"),
    ],
)
def test_what_cannot_be_called_is_refused(
    changes: dict[str, Any], field: str, receiver: Receiver, administrator: User
) -> None:
    with pytest.raises(CannotSubscribeError) as error:
        subscribed(receiver, administrator, **changes)
    assert error.value.field == field
    assert "secret" not in str(error.value)
    assert not Subscription.objects.exists()


def test_two_of_one_name_are_refused_as_long_as_the_first_lives(receiver: Receiver, administrator: User) -> None:
    first = subscribed(receiver, administrator, name="SIEM").subscription
    with pytest.raises(CannotSubscribeError, match="already"):
        subscribed(receiver, administrator, name=" siem ")
    end(subscription_id=first.pk, actor=actor_for(administrator), at=timezone.now())
    assert subscribed(receiver, administrator, name="SIEM").subscription.pk != first.pk


def test_there_are_no_more_than_fifty(receiver: Receiver, administrator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managing, "AT_MOST", 1)
    subscribed(receiver, administrator, name="One")
    with pytest.raises(CannotSubscribeError, match="End one first"):
        subscribed(receiver, administrator, name="Two")


# What is kept


def test_the_secret_is_kept_shut_and_stands_in_no_entry(made: Made, incident: Incident) -> None:
    kept = Subscription.objects.get()
    assert made.secret.startswith("whsec_")
    assert made.secret not in kept.secret
    assert opened(kept.secret) == made.secret
    entry = TimelineEvent.objects.get(incident=incident, kind="subscription.made")
    assert "127.0.0.1" in entry.summary
    for text in (entry.summary, str(entry.details)):
        assert made.secret not in text
        assert "of-theirs" not in text


def test_what_was_recorded_before_is_not_sent(receiver: Receiver, incident: Incident, coordinator: User) -> None:
    make_entry(incident)
    made = subscribed(receiver, coordinator, incident)
    assert carried(made.subscription) == 0
    incident.refresh_from_db()
    assert SubscriptionPlace.objects.get().sequence == incident.head_sequence
    newest = make_entry(incident)
    assert carried(made.subscription) == 1
    assert receiver.sequences == [newest.sequence]


def test_a_subscription_of_all_begins_at_every_head_and_follows_new_incidents_from_their_first_entry(
    receiver: Receiver, incident: Incident, coordinator: User, administrator: User
) -> None:
    make_entry(incident)
    made = subscribed(receiver, administrator)
    assert carried(made.subscription) == 0
    later = make_incident()
    first = make_entry(later)
    assert carried(made.subscription) == first.sequence
    assert {asked.content["incident"]["reference"] for asked in receiver.asked} == {later.reference}


# Pausing and resuming


def test_what_happens_during_a_pause_is_sent_after_it(
    receiver: Receiver, subscription: Subscription, incident: Incident, coordinator: User
) -> None:
    who = {"subscription_id": subscription.pk, "actor": actor_for(coordinator), "at": timezone.now()}
    pause(**who)
    make_entry(incident)
    assert carried(subscription) == 0
    with pytest.raises(CannotChangeSubscriptionError):
        pause(**who)
    resume(**who, skip=False)
    with pytest.raises(CannotChangeSubscriptionError):
        resume(**who, skip=False)
    carried(subscription)
    assert [asked.content["kind"] for asked in receiver.asked] == [
        "subscription.paused", "entry.added", "subscription.resumed",
    ]  # fmt: skip
    assert kinds_recorded(incident) == ["subscription.made", "subscription.paused", "subscription.resumed"]


def test_a_pause_may_be_skipped(
    receiver: Receiver, subscription: Subscription, incident: Incident, coordinator: User
) -> None:
    who = {"subscription_id": subscription.pk, "actor": actor_for(coordinator), "at": timezone.now()}
    pause(**who)
    make_entry(incident)
    resume(**who, skip=True)
    assert carried(subscription) == 0
    newest = make_entry(incident)
    carried(subscription)
    assert receiver.sequences == [newest.sequence]


# The secret


def test_for_a_day_calls_are_signed_by_both_secrets(
    receiver: Receiver, made: Made, incident: Incident, coordinator: User
) -> None:
    at, actor = timezone.now(), actor_for(coordinator)
    again = exchange_secret(subscription_id=made.subscription.pk, actor=actor, at=at)
    assert again.secret != made.secret
    carried(made.subscription)
    asked = receiver.asked[-1]
    assert asked.headers["webhook-signature"].count("v1,") == 2
    assert all(is_signed(secret, asked.headers, asked.body) for secret in (made.secret, again.secret))
    Subscription.objects.update(previous_secret_until=at - timedelta(seconds=1))
    make_entry(incident)
    carried(made.subscription)
    asked = receiver.asked[-1]
    assert is_signed(again.secret, asked.headers, asked.body)
    assert not is_signed(made.secret, asked.headers, asked.body)


def test_whoever_loses_the_new_secret_exchanges_it_again_and_the_first_goes_on(made: Made, coordinator: User) -> None:
    who = {"subscription_id": made.subscription.pk, "actor": actor_for(coordinator)}
    exchange_secret(**who, at=timezone.now())
    newest = exchange_secret(**who, at=timezone.now() + timedelta(hours=1))
    kept = Subscription.objects.get()
    assert (opened(kept.secret), opened(kept.previous_secret)) == (newest.secret, made.secret)
    exchange_secret(**who, at=timezone.now() + timedelta(days=3))
    assert opened(Subscription.objects.get().previous_secret) == newest.secret


# Ending


def test_an_ended_subscription_is_called_no_more_and_forgets_its_secrets(
    receiver: Receiver, subscription: Subscription, incident: Incident, coordinator: User
) -> None:
    make_entry(incident)
    receiver.answer = lambda _: Said(500)
    carried(subscription)
    who = {"subscription_id": subscription.pk, "actor": actor_for(coordinator), "at": timezone.now()}
    end(**who)
    calls = len(receiver.asked)
    make_entry(incident)
    assert carried(subscription) == 0
    assert len(receiver.asked) == calls
    kept = Subscription.objects.get()
    assert (kept.secret, kept.previous_secret, kept.ended_by) == ("", "", coordinator.name)
    assert set(kept.deliveries.values_list("status", flat=True)) == {"failed"}
    for verb in VERBS:
        with pytest.raises(NotFoundError):
            verb(**who)
    assert kinds_recorded(incident)[-1] == "subscription.ended"

"""What a call says: its schema, its signature, and that no words leave under AMBER and above."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from jsonschema import Draft202012Validator

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.exports.models import Redaction
from runbooks.incidents.models import Incident
from runbooks.subscriptions.models import SubscriptionDelivery
from runbooks.subscriptions.operations.managing import Made
from runbooks.subscriptions.operations.sending_again import ping, send_again
from runbooks.subscriptions.operations.sweeping import forget_redacted
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.operations import Entry, record
from tests.connectors.served import Said
from tests.factories import make_entry, make_incident
from tests.subscriptions.receiving import Clock, Receiver, carried, is_signed, subscribed

pytestmark = pytest.mark.django_db
SCHEMA = json.loads((Path(settings.BASE_DIR) / "docs/schema/subscription.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
CLOSE, OPEN = ("RED", "AMBER+STRICT", "AMBER"), ("GREEN", "CLEAR")


def sent_under(tlp: str, receiver: Receiver, lead: User, **changes: Any) -> tuple[Incident, dict[str, Any]]:
    incident = make_incident(lead=lead, tlp=tlp, **changes)
    made = subscribed(receiver, lead, incident)
    make_entry(incident, "The heron has landed “here”")
    carried(made.subscription)
    return incident, receiver.asked[-1].content


@pytest.mark.parametrize("tlp", CLOSE)
def test_under_amber_and_above_no_words_leave(tlp: str, receiver: Receiver, coordinator: User) -> None:
    incident, said = sent_under(tlp, receiver, coordinator)
    VALIDATOR.validate(said)
    assert (said["incident"]["reference"], said["kind"], said["incident"]["tlp"]) == (
        incident.reference, "entry.added", tlp,
    )  # fmt: skip
    assert b"heron" not in receiver.asked[-1].body
    assert not VALIDATOR.is_valid({**said, "summary": "The heron has landed"})
    assert not VALIDATOR.is_valid({**said, "actor": coordinator.name})


@pytest.mark.parametrize("tlp", OPEN)
def test_under_green_and_clear_the_words_leave(tlp: str, receiver: Receiver, coordinator: User) -> None:
    incident, said = sent_under(tlp, receiver, coordinator, is_exercise=True)
    VALIDATOR.validate(said)
    entry = TimelineEvent.objects.get(incident=incident, kind="entry.added")
    assert said["summary"] == "The heron has landed “here”"
    assert (said["actor"], said["hash"], said["sequence"]) == (entry.actor, entry.hash, entry.sequence)
    assert said["incident"]["is_exercise"] is True
    assert said["url"].endswith(f"/incidents/{incident.reference}/timeline/{entry.sequence}/")
    assert said["id"] == receiver.asked[-1].headers["webhook-id"]


def test_no_field_may_be_missing_and_none_may_be_more(receiver: Receiver, coordinator: User) -> None:
    _, said = sent_under("GREEN", receiver, coordinator)
    for name in set(said) - {"actor", "summary"}:
        assert not VALIDATOR.is_valid({key: value for key, value in said.items() if key != name}), name
    assert not VALIDATOR.is_valid({**said, "details": {}})


def test_a_call_carries_a_signature_that_others_can_check(receiver: Receiver, made: Made, incident: Incident) -> None:
    make_entry(incident)
    before = int(timezone.now().timestamp())
    carried(made.subscription)
    (asked,) = receiver.asked
    assert is_signed(made.secret, asked.headers, asked.body)
    assert not is_signed(made.secret, asked.headers, asked.body + b" ")
    assert not is_signed(made.secret, {**asked.headers, "webhook-id": "x"}, asked.body)
    assert before <= int(asked.headers["webhook-timestamp"]) <= before + 60
    assert asked.headers["Content-Type"] == "application/json"
    assert "." not in asked.headers["webhook-id"]


def test_each_attempt_has_the_same_identifier_and_body_and_its_own_time(
    receiver: Receiver, made: Made, incident: Incident
) -> None:
    make_entry(incident)
    clock = Clock()
    receiver.answer = lambda _: Said(500)
    carried(made.subscription, clock)
    clock.go(seconds=60)
    carried(made.subscription, clock)
    first, second = receiver.asked
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 60
    assert is_signed(made.secret, second.headers, second.body)


def test_a_label_that_is_raised_meanwhile_keeps_the_words_in(receiver: Receiver, coordinator: User) -> None:
    incident = make_incident(lead=coordinator, tlp="GREEN")
    subscription = subscribed(receiver, coordinator, incident).subscription
    make_entry(incident, "The heron has landed")
    clock = Clock()
    receiver.answer = lambda _: Said(500)
    carried(subscription, clock)
    assert b"heron" in receiver.asked[-1].body
    Incident.objects.filter(pk=incident.pk).update(tlp="RED")
    clock.go(seconds=60)
    carried(subscription, clock)
    assert b"heron" not in receiver.asked[-1].body
    assert receiver.asked[-1].content["incident"]["tlp"] == "RED"
    VALIDATOR.validate(receiver.asked[-1].content)
    assert "heron" not in SubscriptionDelivery.objects.get().body


def redacted(entry: TimelineEvent, by: User, decider: User) -> None:
    """As the operation of the exports leaves it."""
    at = timezone.now()
    Redaction.objects.create(
        incident=entry.incident, event=entry, reason="A name", legal_basis="GDPR", requester=by, requested_at=at,
        decider=decider, decided_at=at, status="approved",
    )  # fmt: skip
    TimelineEvent.objects.filter(pk=entry.pk).update(salt=None, summary="", details={})
    incident = Incident.objects.select_for_update().get(pk=entry.incident_id)
    record(incident, Entry("entry.redacted", "Taken out", corrects=entry.sequence), actor=actor_for(by), at=at)


def test_what_a_redaction_takes_out_is_sent_no_more_and_goes_from_the_log(
    receiver: Receiver, coordinator: User, approver: User
) -> None:
    incident = make_incident(lead=coordinator, members=(approver,), tlp="GREEN")
    subscription = subscribed(receiver, coordinator, incident).subscription
    entry = make_entry(incident, "The heron has landed")
    other = make_entry(incident, "The stork has not")
    carried(subscription)
    redacted(entry, coordinator, approver)
    assert forget_redacted() == 1
    assert forget_redacted() == 0
    bodies = dict(SubscriptionDelivery.objects.values_list("sequence", "body"))
    assert "heron" not in bodies[entry.sequence]
    assert "stork" in bodies[other.sequence]
    delivery = SubscriptionDelivery.objects.get(sequence=entry.sequence)
    at = timezone.now()
    send_again(subscription_id=subscription.pk, delivery_id=delivery.pk, actor=actor_for(coordinator), at=at)
    carried(subscription)
    again = [asked for asked in receiver.asked if asked.content["sequence"] == entry.sequence][-1]
    assert "summary" not in again.content
    VALIDATOR.validate(again.content)


def test_a_test_tells_of_no_incident(receiver: Receiver, made: Made, coordinator: User) -> None:
    sent = ping(subscription_id=made.subscription.pk, actor=actor_for(coordinator), clock=timezone.now)
    assert sent.status == "delivered"
    (asked,) = receiver.asked
    VALIDATOR.validate(asked.content)
    assert asked.content["kind"] == "subscription.ping"
    assert is_signed(made.secret, asked.headers, asked.body)
    assert b"IR-" not in asked.body

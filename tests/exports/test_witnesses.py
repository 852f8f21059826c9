"""Witnesses: who they are, that each checkpoint reaches them, and what happens while one cannot be reached."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.exports import tasks
from runbooks.exports.models import Checkpoint, SigningKey, Witness, WitnessCopy
from runbooks.exports.operations import witnessing
from runbooks.exports.operations.checkpoints import make_checkpoint, sent_form
from runbooks.exports.operations.witnessing import (
    ATTEMPTS,
    CannotAddWitnessError,
    add_witness,
    end_witness,
    send_copies,
    try_witness_again,
)
from runbooks.incidents.models import Incident
from tests.connectors.served import HANG_UP, Asked, Said, served
from tests.exports.sealing import ticking
from tests.factories import make_entry, make_user

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
MAILBOX = "records@auditors.example"


@pytest.fixture
def signed(incident: Incident, key: SigningKey) -> Checkpoint:
    make_entry(incident)
    found = make_checkpoint(incident_id=incident.pk, reason="periodic", at=timezone.now())
    assert found is not None
    return found


def added(actor: User, address: str = MAILBOX, channel: str = "mail", name: str = "Records office") -> Witness:
    return add_witness(name=name, channel=channel, address=address, actor=actor_for(actor), at=timezone.now())


def next_checkpoint(incident: Incident) -> Checkpoint:
    make_entry(incident)
    found = make_checkpoint(incident_id=incident.pk, reason="periodic", at=timezone.now())
    assert found is not None
    return found


def send(at: datetime | None = None) -> int:
    return send_copies(clock=ticking(at or timezone.now(), timedelta(milliseconds=1)))


class Receiver:
    """A witness's own server."""

    def __init__(self, stack: ExitStack) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Said] = lambda _: Said(204)
        self.url = stack.enter_context(served(self._take)) + "/hook?of=ours"

    def _take(self, asked: Asked) -> Said:
        self.asked.append(asked)
        return self.answer(asked)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.OUTBOUND_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    with ExitStack() as stack:
        yield Receiver(stack)


# Who they are


@pytest.mark.parametrize("role", set(Role) - {Role.ADMINISTRATOR, Role.COORDINATOR})
def test_only_administrators_and_coordinators_choose_witnesses(role: Role) -> None:
    user = make_user(role)
    with pytest.raises(NotAllowedError):
        added(user)
    with pytest.raises(NotAllowedError):
        end_witness(witness_id=1, actor=actor_for(user), at=timezone.now())
    with pytest.raises(NotAllowedError):
        try_witness_again(witness_id=1, actor=actor_for(user), at=timezone.now())


@pytest.mark.parametrize(
    ("channel", "address", "field"),
    [
        ("mail", "nobody", "address"),
        ("mail", "a@b.example\nBcc: c@d.example", "address"),
        ("webhook", "ftp://x.example/", "address"),
        ("webhook", "http://witness.example/", "address"),
        ("webhook", "https://user:secret@witness.example/", "address"),
        ("pigeon", "loft 4", "channel"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused(channel: str, address: str, field: str, administrator: User) -> None:
    with pytest.raises(CannotAddWitnessError) as error:
        added(administrator, address, channel)
    assert error.value.field == field
    assert "secret" not in str(error.value)


def test_the_same_witness_is_added_once_and_again_after_it_ended(administrator: User) -> None:
    first = added(administrator)
    with pytest.raises(CannotAddWitnessError, match="already"):
        added(administrator)
    end_witness(witness_id=first.pk, actor=actor_for(administrator), at=timezone.now())
    first.refresh_from_db()
    assert first.ended_by == str(administrator)
    assert added(administrator).pk != first.pk
    with pytest.raises(NotFoundError):
        end_witness(witness_id=first.pk, actor=actor_for(administrator), at=timezone.now())


def test_a_new_witness_gets_the_newest_checkpoint_of_what_runs(
    administrator: User, signed: Checkpoint, incident: Incident
) -> None:
    newest = next_checkpoint(incident)
    added(administrator)
    assert [copy.checkpoint for copy in WitnessCopy.objects.all()] == [newest]


# Carrying


def test_each_checkpoint_is_mailed_as_it_is_made(administrator: User, signed: Checkpoint, incident: Incident) -> None:
    added(administrator)
    newest = next_checkpoint(incident)
    tasks.witness()
    assert len(mail.outbox) == 2
    assert mail.outbox[1].to == [MAILBOX]
    assert incident.reference in mail.outbox[1].subject
    raw = mail.outbox[1].message().as_bytes()
    assert sent_form(newest).line.strip() in raw.splitlines()
    assert set(WitnessCopy.objects.values_list("status", flat=True)) == {"sent"}
    assert send() == 0


def test_a_webhook_gets_the_checkpoint_as_json(
    administrator: User, signed: Checkpoint, incident: Incident, receiver: Receiver
) -> None:
    added(administrator, receiver.url, "webhook")
    assert send() == 1
    (asked,) = receiver.asked
    assert (asked.method, asked.path) == ("POST", "/hook?of=ours")
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["Idempotency-Key"]
    assert asked.body + b"\n" == sent_form(signed).line
    assert set(json.loads(asked.body)) == {"incident", "sequence", "hash", "time", "key", "signature"}


@pytest.mark.parametrize("said", [Said(500), Said(429), HANG_UP])
def test_what_fails_for_now_is_tried_again_later_and_later(
    said: Said, administrator: User, signed: Checkpoint, receiver: Receiver
) -> None:
    receiver.answer = lambda _: said
    added(administrator, receiver.url, "webhook")
    at, waits = timezone.now(), []
    for _ in range(4):
        assert send(at) == 0
        copy = WitnessCopy.objects.get()
        assert copy.status == "waiting"
        assert copy.reason
        assert copy.next_attempt_at is not None
        waits.append(round((copy.next_attempt_at - at).total_seconds()))
        assert send(copy.next_attempt_at - timedelta(seconds=1)) == 0
        at = copy.next_attempt_at
    assert waits == [30, 60, 120, 240]
    assert len(receiver.asked) == 4
    receiver.answer = lambda _: Said(200)
    assert send(at) == 1


def test_what_is_refused_for_good_is_given_up_until_somebody_tries_again(
    administrator: User, signed: Checkpoint, receiver: Receiver
) -> None:
    receiver.answer = lambda _: Said(403)
    witness = added(administrator, receiver.url, "webhook")
    assert send() == 0
    copy = WitnessCopy.objects.get()
    assert (copy.status, copy.reason) == ("failed", "127.0.0.1 answered 403.")
    receiver.answer = lambda _: Said(200)
    assert send() == 0
    assert try_witness_again(witness_id=witness.pk, actor=actor_for(administrator), at=timezone.now()) == 1
    assert send() == 1


def test_a_worker_that_died_loses_nothing(administrator: User, signed: Checkpoint) -> None:
    added(administrator)
    at = timezone.now()
    claimed = witnessing.claim(at=at)
    assert claimed is not None
    assert send(at + timedelta(minutes=1)) == 0
    assert send(at + timedelta(minutes=6)) == 1
    # The first one wakes up and says that it failed: the witness has it all the same.
    witnessing.finish(copy=claimed, error=witnessing.ChannelError("late", permanent=True), at=at)
    assert WitnessCopy.objects.get().status == "sent"


def test_a_copy_that_kills_its_workers_is_given_up(administrator: User, signed: Checkpoint) -> None:
    added(administrator)
    WitnessCopy.objects.update(attempts=ATTEMPTS, status="sending", next_attempt_at=timezone.now())
    assert send(timezone.now() + timedelta(minutes=1)) == 0
    assert WitnessCopy.objects.get().status == "failed"
    assert not mail.outbox


def test_nothing_more_goes_to_one_that_ended(administrator: User, signed: Checkpoint, incident: Incident) -> None:
    witness = added(administrator)
    end_witness(witness_id=witness.pk, actor=actor_for(administrator), at=timezone.now())
    next_checkpoint(incident)
    assert send() == 0
    assert str(administrator) in WitnessCopy.objects.get().reason


@pytest.mark.parametrize("network", ["10.0.0.0/8", ""])
def test_a_webhook_reaches_no_address_inside(
    network: str, administrator: User, signed: Checkpoint, receiver: Receiver, settings: Any
) -> None:
    added(administrator, receiver.url, "webhook")
    settings.OUTBOUND_PRIVATE_NETWORKS = [network] if network else []
    assert send() == 0
    assert not receiver.asked
    assert "OUTBOUND_PRIVATE_NETWORKS" in WitnessCopy.objects.get().reason


def test_a_webhook_is_not_led_elsewhere(administrator: User, signed: Checkpoint, receiver: Receiver) -> None:
    receiver.answer = lambda _: Said(302, headers={"Location": "http://127.0.0.1:1/"})
    added(administrator, receiver.url, "webhook")
    assert send() == 0
    assert len(receiver.asked) == 1
    assert "redirect" in WitnessCopy.objects.get().reason


def test_the_pages_say_who_added_a_witness_and_who_ended_it(
    administrator: User, coordinator: User, signed: Checkpoint, incident: Incident, client_of: ClientOf
) -> None:
    witness = added(coordinator)
    send()
    end_witness(witness_id=witness.pk, actor=actor_for(administrator), at=timezone.now())
    said = client_of(coordinator).get("/witnesses/").content.decode()
    assert f"by {coordinator}, ended" in said
    assert f"by {administrator}</span>" in said
    assert (
        f"by {administrator}</span>"
        in client_of(coordinator).get(f"/incidents/{incident.reference}/seal/").content.decode()
    )

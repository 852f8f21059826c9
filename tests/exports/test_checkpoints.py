"""Checkpoints: what they sign, when they are made, and that they are made once."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from django.db import connection, transaction
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.exports import signing, tasks
from runbooks.exports.keys import NoKeyError
from runbooks.exports.models import Checkpoint, SigningKey
from runbooks.exports.operations import checkpoints
from runbooks.exports.operations.checkpoints import make_checkpoint, sent_form, unsigned_incidents
from runbooks.exports.operations.verifying import is_well_signed
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import change_status
from runbooks.timeline.seal import instant
from tests.factories import make_entry, make_incident

pytestmark = pytest.mark.django_db


def made(incident: Incident, reason: str = "asked") -> Checkpoint:
    found = make_checkpoint(incident_id=incident.pk, reason=reason, at=timezone.now())
    assert found is not None
    return found


def test_a_checkpoint_signs_the_newest_entry(incident: Incident, key: SigningKey) -> None:
    event = make_entry(incident)
    one = made(incident)
    assert (one.sequence, one.hash, one.key) == (event.sequence, event.hash, key)
    said = {"incident": str(incident.pk), "sequence": one.sequence, "hash": one.hash, "time": instant(one.signed_at)}
    assert signing.verify([key.public_key], rfc8785.dumps(said), one.signature) == key.fingerprint
    assert is_well_signed(one)


def test_the_same_entry_is_signed_once(incident: Incident, key: SigningKey) -> None:
    make_entry(incident)
    assert made(incident, "periodic").pk == made(incident, "closing").pk
    make_entry(incident)
    made(incident)
    assert Checkpoint.objects.filter(incident=incident).count() == 2


def test_an_incident_without_an_entry_has_nothing_to_sign(incident: Incident, key: SigningKey) -> None:
    assert make_checkpoint(incident_id=incident.pk, reason="asked", at=timezone.now()) is None


def test_without_a_key_none_is_made_and_the_clock_goes_on(incident: Incident, settings: Any) -> None:
    make_entry(incident)
    with pytest.raises(NoKeyError):
        made(incident)
    tasks.sign_all()
    assert not Checkpoint.objects.exists()


def test_the_clock_signs_what_moved_and_nothing_else(incident: Incident, key: SigningKey) -> None:
    other = make_incident()
    make_entry(incident)
    assert unsigned_incidents() == [incident.pk]
    tasks.sign_all()
    assert unsigned_incidents() == []
    make_entry(other)
    tasks.sign_all()
    assert sorted(Checkpoint.objects.values_list("incident", flat=True)) == sorted([incident.pk, other.pk])


def test_closing_asks_for_a_checkpoint(
    incident: Incident,
    key: SigningKey,
    coordinator: User,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    woken: list[tuple[str, Any]] = []
    monkeypatch.setattr(
        "celery.current_app.send_task", lambda name, kwargs, retry: woken.append((name, kwargs)), raising=True
    )
    Incident.objects.filter(pk=incident.pk).update(status="recovered")
    with django_capture_on_commit_callbacks(execute=True):
        change_status(
            incident_id=incident.pk, status="closed", reason="", actor=actor_for(coordinator), at=timezone.now()
        )
    asked = [kwargs for name, kwargs in woken if name == "exports.checkpoint"]
    assert asked == [{"incident_id": str(incident.pk), "reason": "closing"}]
    tasks.checkpoint(**asked[0])
    incident.refresh_from_db()
    one = Checkpoint.objects.get()
    assert (one.sequence, one.reason) == (incident.head_sequence, "closing")


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_signature_and_what_is_not_committed_is_not_signed(
    incident: Incident, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = make_entry(incident)
    signing_now, recorded = threading.Event(), threading.Event()
    real: Callable[..., Any] = checkpoints.keys.held

    def held() -> Any:
        signing_now.set()
        assert recorded.wait(20)
        return real()

    monkeypatch.setattr(checkpoints.keys, "held", held)
    found = []

    def sign() -> None:
        found.append(made(incident).sequence)
        connection.close()

    with transaction.atomic():
        make_entry(incident)  # not committed, and it holds the lock
        thread = threading.Thread(target=sign)
        thread.start()
        assert signing_now.wait(20)
    make_entry(incident)  # nobody else's lock keeps it
    recorded.set()
    thread.join(20)
    assert found == [event.sequence]


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one(incident: Incident, key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> None:
    make_entry(incident)
    both = threading.Barrier(2)
    real: Callable[..., Any] = checkpoints.keys.held

    def held() -> Any:
        both.wait(20)
        return real()

    monkeypatch.setattr(checkpoints.keys, "held", held)
    found = []

    def sign() -> None:
        found.append(made(incident).pk)
        connection.close()

    threads = [threading.Thread(target=sign) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 2
    assert len(set(found)) == 1


def test_what_leaves_the_house_is_one_line_of_canonical_json(incident: Incident, key: SigningKey) -> None:
    make_entry(incident)
    line = sent_form(made(incident)).line
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert key.fingerprint.encode() in line

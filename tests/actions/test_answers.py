"""Answers that a system calls back with: taken once, from nobody but who holds the secret."""

import hmac
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.conf import settings as portal_settings
from django.test import Client
from django.urls import reverse

from runbooks.access.models import User
from runbooks.actions.models import Action
from runbooks.actions.operations.running import run
from runbooks.timeline.models import TimelineEvent
from tests.actions.acting import Clock, approved, drafted, requested, statuses
from tests.connectors.conftest import hook_of, loopback, receiver
from tests.connectors.receiver import SECRET, Receiver
from tests.connectors.served import Said
from tests.factories import make_affected, make_incident

__all__ = ["hook_of", "loopback", "receiver"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(asker: User, approver: User, hook_of: Any, receiver: Receiver) -> Action:
    """Three accounts were given to a system that promised to answer later."""
    hook_of(reads=False)
    receiver.answer = lambda asked: Said(202, {})
    room = make_incident(lead=approver, members=(asker,))
    accounts = [make_affected(room) for _ in range(3)]
    action = approved(requested(drafted(room, asker, accounts=accounts, connection="hook"), asker), approver)
    clock = Clock()
    run(action_id=action.pk, clock=clock, patience=clock.sleep)
    assert statuses(action) == {"pending": 3}
    return action


@pytest.fixture
def key(asked: Action, receiver: Receiver) -> str:
    """The key of the request, as the receiver was told it."""
    return str(next(one.content["id"] for one in receiver.asked if one.content["action"] == "lock_account"))


def content(action: Action, key: str, outcome: str = "ok") -> dict[str, object]:
    logins = action.accounts.order_by("position").values_list("login", flat=True)
    return {"id": key, "results": [{"login": login, "outcome": outcome, "message": "By script 7"} for login in logins]}


def send(said: Any, *, name: str = "hook", secret: str = SECRET, late: timedelta = timedelta()) -> Any:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    timestamp = str(int((datetime.now(UTC) - late).timestamp()))
    signature = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, sha256).hexdigest()
    headers = {"X-IR-Portal-Timestamp": timestamp, "X-IR-Portal-Signature": f"v1={signature}"}
    address = reverse("connector_answers", args=[name])
    client = Client(enforce_csrf_checks=True)
    return client.post(address, body, content_type="application/json", headers=headers)


def test_a_signed_answer_settles_the_accounts_and_ends_the_action(asked: Action, key: str) -> None:
    assert send(content(asked, key)).status_code == 204
    asked.refresh_from_db()
    assert statuses(asked) == {"done": 3}
    assert asked.status == Action.Status.DONE
    assert set(asked.accounts.values_list("answered_by", "message")) == {("hook", "By script 7")}


def test_the_same_answer_again_changes_nothing(asked: Action, key: str) -> None:
    send(content(asked, key))
    before = TimelineEvent.objects.count()
    assert send(content(asked, key, "failed")).status_code == 204
    assert statuses(asked) == {"done": 3}
    assert TimelineEvent.objects.count() == before


def test_failures_are_told_too(asked: Action, key: str) -> None:
    assert send(content(asked, key, "failed")).status_code == 204
    asked.refresh_from_db()
    assert asked.status == Action.Status.DONE_WITH_FAILURES


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"secret": "another secret of 32 characters.."}, 403),
        ({"late": timedelta(minutes=10)}, 403),
        ({"name": "nothing"}, 404),
        ({"name": "people"}, 404),
    ],
)
def test_strangers_learn_nothing_and_change_nothing(
    asked: Action, key: str, changes: dict[str, Any], status: int, settings: Any
) -> None:
    settings.CONNECTIONS = {**settings.CONNECTIONS, "people": {"connector": "manual"}}
    response = send(content(asked, key), **changes)
    assert (response.status_code, response.content) == (status, b"")
    assert statuses(asked) == {"pending": 3}


def test_a_key_of_another_connection_is_not_taken(
    asked: Action, key: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTION_OTHER_SECRET", SECRET)
    settings.CONNECTIONS = {**settings.CONNECTIONS, "other": settings.CONNECTIONS["hook"]}
    assert send(content(asked, key), name="other").status_code == 404
    assert statuses(asked) == {"pending": 3}


@pytest.mark.parametrize("key", ["nonsense", "", "00000000-0000-0000-0000-000000000000.1"])
def test_a_key_that_is_none_is_refused(asked: Action, key: str) -> None:
    assert send(content(asked, key)).status_code in {400, 404}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id": "x"}', b"\xff\xfe", b"[" * 100_000])
def test_nonsense_is_refused_without_a_word(asked: Action, body: bytes) -> None:
    response = send(body)
    assert (response.status_code, response.content) == (400, b"")


def test_an_answer_of_a_thousand_accounts_fits_and_a_flood_does_not(asked: Action, key: str) -> None:
    padded = {**content(asked, key), "note": "x" * 200_000}
    assert send(padded).status_code == 204
    assert send(b" " * (portal_settings.ANSWER_MAX_BYTES + 1)).status_code == 413


def test_it_is_nothing_to_look_at(asked: Action) -> None:
    assert Client().get(reverse("connector_answers", args=["hook"])).status_code == 405

"""The actions that carried out a step, on the open step, and the way to the next one."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from runbooks.access.models import User
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident
from tests.actions.acting import done, drafted
from tests.factories import make_affected, make_incident, make_step

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def room(coordinator: User, approver: User, responder: User, auditor: User, settings: Any) -> Incident:
    settings.CONNECTIONS = {"directory": {"connector": "simulated", "throttled": 0, "busy": 0, "refused": 0}}
    return make_incident(lead=coordinator, members=(approver, responder, auditor), is_exercise=True)


def lock_step(incident: Incident, **changes: Any) -> Step:
    fields = {"automation": "lock_account", "scope": "account", "fact": "sign_in_disabled", **changes}
    return make_step(incident, **fields)


def open_step(client: Client, step: Step) -> str:
    return client.get(reverse("steps", args=[step.incident.reference]) + f"?open={step.key}").text


def test_it_leads_to_an_action_for_the_accounts_that_are_left(
    room: Incident, responder: User, client_of: ClientOf
) -> None:
    for _ in range(3):
        make_affected(room, state="compromised", tier="A")
    make_affected(room)
    step = lock_step(room)
    client = client_of(responder)
    page = open_step(client, step)
    assert "Disable sign-in for the 3 accounts left" in page
    address = next(part.split('"')[0] for part in page.split('href="') if "/actions/new/" in part).replace("&amp;", "&")
    assert parse_qs(urlsplit(address).query)["step"] == [step.key]
    assert "Disable sign-in for 3 accounts" in client.get(address).text


def test_what_is_done_to_everybody_leads_to_everyone(room: Incident, responder: User, client_of: ClientOf) -> None:
    step = make_step(room, automation="restrict_remote_access")
    page = open_step(client_of(responder), step)
    assert "Restrict remote access for everyone" in page
    assert "everyone=1" in page


def test_steps_that_no_connection_does_offer_nothing(room: Incident, responder: User, client_of: ClientOf) -> None:
    client = client_of(responder)
    assert "actions/new" not in open_step(client, make_step(room, automation="rotate_password"))
    assert "actions/new" not in open_step(client, make_step(room))


def test_who_may_not_ask_sees_what_was_done(
    room: Incident, coordinator: User, approver: User, auditor: User, client_of: ClientOf
) -> None:
    step = lock_step(room)
    accounts = [make_affected(room) for _ in range(2)]
    action = done(drafted(room, coordinator, accounts=accounts, step_key=step.key), coordinator, approver)
    page = open_step(client_of(auditor), step)
    assert reverse("action", args=[room.reference, action.number]) in page
    assert "2 of 2 done" in page
    assert "actions/new" not in page


def test_a_closed_step_offers_nothing(room: Incident, responder: User, client_of: ClientOf) -> None:
    step = lock_step(room, status="skipped", waived_reason="x", closed_at=room.declared_at, closed_by="x")
    assert "actions/new" not in open_step(client_of(responder), step)

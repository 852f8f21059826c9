"""The page of a request: what the second person sees, and what their decision does."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action
from runbooks.actions.operations import exclude
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.incidents.models import Incident
from tests.actions.acting import RESTRICT, drafted, previewed, requested
from tests.factories import PASSWORD, add_member, make_account, make_affected, make_incident, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
ClientOf = Callable[[User], Client]
# Queries of a page that was visited since the last change: the draft, the request, a new action.
DRAFT, REQUEST, NEW = 17, 18, 9


@pytest.fixture
def room(asker: User, approver: User, desk: User, auditor: User) -> Incident:
    return make_incident(lead=approver, members=(asker, desk, auditor), is_exercise=True)


@pytest.fixture
def accounts(room: Incident) -> list[AffectedAccount]:
    return [make_affected(room, tier="A", state="compromised") for _ in range(5)]


@pytest.fixture
def action(room: Incident, accounts: list[AffectedAccount], asker: User) -> Action:
    """A request for four accounts; a person left the fifth alone."""
    found = drafted(room, asker, accounts=accounts)
    exclude(action_id=found.pk, logins=[accounts[0].login], reason="Duty", actor=actor_for(asker), at=timezone.now())
    return requested(previewed(found), asker)


def address(action: Action) -> str:
    return reverse("action", args=[action.incident.reference, action.number])


def decide(client: Client, action: Action, **changes: Any) -> Any:
    given = {
        "digest": action.digest, "choice": "approved", "number": "4", "has_read": "on", "password": PASSWORD,
        "comment": "", **changes,
    }  # fmt: skip
    there = reverse("action_do", args=[action.incident.reference, action.number, "decide"])
    response = client.post(there, {name: value for name, value in given.items() if value is not None})
    action.refresh_from_db()
    return response


def test_the_second_person_sees_scope_reason_and_whom_to_trust(
    action: Action, asker: User, approver: User, client_of: ClientOf
) -> None:
    page = client_of(approver).get(address(action)).text
    assert "Waiting for you, second of 2 people" in page
    assert "5 accounts in scope, less 1 excluded, makes 4 accounts that will change." in page
    assert "You did not ask for this and have not changed it, so you may decide" in page
    assert f'title="{action.digest}"' in page
    assert f"{action.digest[:4]}…{action.digest[-4:]}" in page
    assert 'autocomplete="current-password"' in page
    assert "also the 1 account not in the runbook" in page
    assert "30<small> min" in page
    assert "They got in" in page


def test_approving_begins_it(action: Action, approver: User, client_of: ClientOf) -> None:
    response = decide(client_of(approver), action, number="4 ")
    assert response["Location"] == address(action)
    assert (action.status, action.approved_by) == ("approved", approver)


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"number": "5"}, 400, "5 are in scope. Type how many will change after exclusions."),
        ({"number": "3"}, 400, "3 is not the number of accounts that will change."),
        ({"number": ""}, 400, "Type the number of accounts that will change."),
        ({"number": "four"}, 400, "Type a number in digits."),
        ({"has_read": None}, 400, "Read the exclusions, then tick that you did."),
        ({"password": ""}, 400, "Enter your own password."),
        ({"password": "guessed"}, 403, "That is not your password. Nothing was decided."),
        ({"digest": "0" * 64}, 409, "The request changed since you opened this page."),
        ({"choice": "refused"}, 400, "Write why you refuse"),
        ({"choice": "change_asked"}, 400, "Write what should be changed."),
        ({"choice": "void"}, 400, "Select a valid choice"),
        ({"choice": None}, 400, "Choose whether to approve"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_decided(
    action: Action, approver: User, client_of: ClientOf, changes: dict[str, Any], status: int, said: str
) -> None:
    response = decide(client_of(approver), action, **{"comment": "" if "choice" in changes else "Seen", **changes})
    assert response.status_code == status
    assert said in response.text
    assert ("Seen" in response.text) == ("choice" not in changes)
    assert PASSWORD not in response.text
    assert "guessed" not in response.text
    assert (action.status, action.approved_by, action.decisions.count()) == ("awaiting_approval", None, 0)


def test_guessing_at_the_password_ends_soon(action: Action, approver: User, client_of: ClientOf) -> None:
    client = client_of(approver)
    statuses = [decide(client, action, password=f"guess {number}").status_code for number in range(11)]
    assert statuses == [403] * 10 + [429]
    assert decide(client, action).status_code == 429
    assert action.status == "awaiting_approval"


def test_refusing_and_asking_for_a_change_need_a_comment_and_no_password(
    action: Action, asker: User, approver: User, client_of: ClientOf
) -> None:
    client, without = client_of(approver), {"password": "", "number": "", "has_read": None}
    assert decide(client, action, choice="change_asked", comment="And the clerks?", **without).status_code == 302
    assert action.status == "draft"
    page = client_of(asker).get(address(action)).text
    assert f"{approver} asked for a change." in page
    assert "And the clerks?" in page
    requested(action, asker)
    assert decide(client, action, choice="refused", comment="Too early", **without).status_code == 302
    assert action.status == "cancelled"
    assert f"{approver} refused." in client_of(asker).get(address(action)).text


def test_who_asked_sees_the_page_without_the_form_and_why(
    room: Incident, accounts: list[AffectedAccount], approver: User, client_of: ClientOf
) -> None:
    other = make_user(Role.COORDINATOR, name="Second Coordinator")
    add_member(room, other)
    action = requested(drafted(room, approver, accounts=accounts), approver)
    client = client_of(approver)
    page = client.get(address(action)).text
    assert "You asked for this, so somebody else decides." in page
    assert "Second Coordinator" in page
    assert "do/decide/" not in page
    refused = decide(client, action, number="5")
    assert refused.status_code == 403
    assert "so somebody else decides" in refused.text
    assert (action.status, action.approved_by) == ("awaiting_approval", None)


def test_who_changed_the_list_no_longer_decides(
    room: Incident, action: Action, accounts: list[AffectedAccount], asker: User, approver: User, client_of: ClientOf
) -> None:
    exclude(action_id=action.pk, logins=[accounts[1].login], reason="D", actor=actor_for(approver), at=timezone.now())
    again = requested(previewed(action), asker)
    page = client_of(approver).get(address(again)).text
    assert "You changed what is asked for, so somebody else decides." in page
    assert "Nobody in this incident may decide." in page
    assert reverse("incident_people", args=[room.reference]) in page


@pytest.mark.parametrize("persona", ["asker", "desk", "auditor"])
def test_whoever_may_not_decide_reads_why(
    persona: str, request: pytest.FixtureRequest, action: Action, client_of: ClientOf
) -> None:
    client = client_of(request.getfixturevalue(persona))
    page = client.get(address(action)).text
    assert "so somebody else decides" in page if persona == "asker" else "does not decide on actions" in page
    assert "do/decide/" not in page
    assert decide(client, action).status_code == 403
    assert action.status == "awaiting_approval"


def test_an_outsider_finds_neither_the_page_nor_the_decision(
    action: Action, outsider: User, client_of: ClientOf
) -> None:
    client = client_of(outsider)
    assert client.get(address(action)).status_code == 404
    assert decide(client, action).status_code == 404
    assert action.status == "awaiting_approval"


def test_a_list_that_changed_meanwhile_approves_nothing_and_says_so(
    room: Incident, asker: User, approver: User, client_of: ClientOf
) -> None:
    for _ in range(3):
        make_account()
    harm = {"expected_harm": "None", "review_at": timezone.now() + timedelta(hours=4)}
    action = requested(drafted(room, asker, RESTRICT, everyone=True, **harm), asker)
    make_account()
    client = client_of(approver)
    assert decide(client, action, number="3", has_read=None).status_code == 302
    assert action.status == "draft"
    page = client.get(address(action)).text
    assert "Nothing was approved: the request was no longer what you saw. It is void." in page
    assert "The request is void, nothing was approved." in page
    assert "1 came or changed" in page


def test_an_expired_request_offers_no_decision(action: Action, approver: User, client_of: ClientOf) -> None:
    Action.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    client = client_of(approver)
    page = client.get(address(action)).text
    assert "The request has expired." in page
    assert "do/decide/" not in page
    assert decide(client, action).status_code == 302
    assert action.status == "draft"


def test_the_password_reaches_no_log_and_no_entry(
    action: Action, approver: User, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    decide(client_of(approver), action, number="9")
    decide(client_of(approver), action)
    assert action.status == "approved"
    assert PASSWORD not in caplog.text
    said = [f"{event.summary} {event.details}" for event in action.incident.events.all()]
    assert not [line for line in said if PASSWORD in line]


def queries(client: Client, there: str) -> int:
    client.get(there)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(there).status_code == 200
    return len(captured)


def test_queries_do_not_grow_with_the_list(room: Incident, asker: User, approver: User, client_of: ClientOf) -> None:
    counts = set()
    for size in (3, 120):
        rows = [make_affected(room, make_account(is_privileged=True), tier="A") for _ in range(size)]
        action = drafted(room, asker, accounts=rows)
        exclude(action_id=action.pk, logins=[rows[0].login], reason="D", actor=actor_for(asker), at=timezone.now())
        client = client_of(approver)
        draft = queries(client, address(action))
        new = queries(client, f"{reverse('action_new', args=[room.reference])}?{'&'.join(f'id={r.pk}' for r in rows)}")
        requested(previewed(action), asker)
        counts.add((draft, queries(client, address(action)), new))
    assert counts == {(DRAFT, REQUEST, NEW)}

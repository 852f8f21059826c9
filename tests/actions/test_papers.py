"""What leaves the portal of an action: its ledger as a file, and the work list on paper."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from runbooks.access.models import User
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations.running import run
from runbooks.incidents.models import Incident
from tests.actions.acting import Clock, approved, done, drafted, requested
from tests.factories import make_affected, make_incident

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


def of(action: Action, name: str) -> str:
    return reverse(name, args=[action.incident.reference, action.number])


@pytest.fixture
def locked(asker: User, approver: User, auditor: User, steady: dict[str, object]) -> Action:
    room = make_incident(lead=approver, members=(asker, auditor), is_exercise=True)
    return done(drafted(room, asker, accounts=[make_affected(room) for _ in range(3)]), asker, approver)


@pytest.fixture
def given_to_people(asker: User, approver: User, auditor: User, settings: Any) -> Action:
    settings.CONNECTIONS = {"desk": {"connector": "manual", "who": "the service desk"}}
    room = make_incident(lead=approver, members=(asker, auditor))
    accounts = [make_affected(room) for _ in range(3)]
    action = approved(requested(drafted(room, asker, accounts=accounts, connection="desk"), asker), approver)
    clock = Clock()
    run(action_id=action.pk, clock=clock, patience=clock.sleep)
    return action


def table(client: Client, action: Action) -> list[dict[str, str]]:
    response = client.get(of(action, "action_accounts_csv"))
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert f"{action.incident.reference}-action-{action.number}.csv" in response["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(response.text)))


def test_the_file_has_every_account_with_its_times(locked: Action, auditor: User, client_of: ClientOf) -> None:
    lines = table(client_of(auditor), locked)
    assert [line["number"] for line in lines] == ["1", "2", "3"]
    for line in lines:
        assert (line["asked for"], line["read back"], line["as asked"]) == ("disabled", "disabled", "Holds")
        assert line["sent"] <= line["answered"] <= line["read back at"]


@pytest.mark.parametrize("message", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_cell_is_a_formula(locked: Action, auditor: User, client_of: ClientOf, message: str) -> None:
    ActionAccount.objects.filter(action=locked).update(message=message)
    assert {line["message"] for line in table(client_of(auditor), locked)} == {f"'{message}"}


def test_a_work_list_says_for_each_account_what_to_do_and_what_to_bring_back(
    given_to_people: Action, auditor: User, client_of: ClientOf
) -> None:
    page = client_of(auditor).get(of(given_to_people, "action_work_list")).text
    for row in given_to_people.accounts.all():
        assert f"Lock {row.login}, so that no new sign-in succeeds." in page
    assert page.count("whether it was locked before, the time, and a sign-in that was refused") == 3
    assert page.count('class="tick"') == 3
    assert "Signature" in page


def test_who_is_settled_is_not_on_it_and_who_is_not_known_is(
    given_to_people: Action, auditor: User, client_of: ClientOf
) -> None:
    settled, unknown, _ = given_to_people.accounts.order_by("position")
    ActionAccount.objects.filter(pk=settled.pk).update(status="done")
    ActionAccount.objects.filter(pk=unknown.pk).update(status="unknown", message="The worker stopped.")
    page = client_of(auditor).get(of(given_to_people, "action_work_list")).text
    assert page.count('class="tick"') == 2
    assert settled.login not in page
    assert f"Look {unknown.login} up and say whether it was done." in page


def test_a_work_list_without_work_says_so(locked: Action, auditor: User, client_of: ClientOf) -> None:
    assert "Nothing is with people" in client_of(auditor).get(of(locked, "action_work_list")).text


def test_an_action_that_is_not_there_has_no_papers(locked: Action, auditor: User, client_of: ClientOf) -> None:
    other = Incident.objects.get(pk=locked.incident_id)
    for name in ("action_accounts_csv", "action_work_list"):
        assert client_of(auditor).get(reverse(name, args=[other.reference, 99])).status_code == 404

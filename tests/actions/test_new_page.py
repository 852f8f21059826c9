"""Drafting an action from a page: for ticked accounts, for all of a filter, for everyone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.actions.models import Action
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.incidents.models import Incident
from tests.factories import make_account, make_affected, make_incident, make_step

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
ClientOf = Callable[[User], Client]


@pytest.fixture
def room(asker: User, approver: User, desk: User, auditor: User) -> Incident:
    return make_incident(lead=approver, members=(asker, desk, auditor), is_exercise=True)


@pytest.fixture
def accounts(room: Incident) -> list[AffectedAccount]:
    return [make_affected(room, tier="A", state="compromised") for _ in range(3)]


def address(incident: Incident, accounts: list[AffectedAccount] = [], **query: str) -> str:  # noqa: B006
    given = [*query.items(), *(("id", account.pk) for account in accounts)]
    return f"{reverse('action_new', args=[incident.reference])}?{urlencode(given)}"


def answers(count: int, **changes: Any) -> dict[str, Any]:
    """What the page's form posts for so many accounts."""
    return {
        "expected": str(count), "kind": "lock_account", "connection": "directory", "reason": "They got in",
        "stop_after_failures": "5", "batch_size": "", **changes,
    }  # fmt: skip


def test_ticked_accounts_need_no_more_than_a_reason(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    client, there = client_of(asker), address(room, accounts[:2], kind="lock_account")
    page = client.get(there).text
    assert "Disable sign-in for 2 accounts" in page
    assert accounts[0].login in page
    assert 'type="hidden" name="kind" value="lock_account"' in page
    assert 'type="hidden" name="connection" value="directory"' in page
    response = client.post(there, answers(2))
    action = Action.objects.get()
    assert response["Location"] == reverse("action", args=[room.reference, action.number])
    assert (action.kind, action.status, action.reason) == ("lock_account", "draft", "They got in")
    assert set(action.accounts.values_list("login", flat=True)) == {account.login for account in accounts[:2]}


def test_all_of_a_filter_is_drafted_for_those_it_lets_through_now(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    make_affected(room, state="suspected")
    client, there = client_of(asker), address(room, kind="lock_account", whole="1", group="confirmed")
    make_affected(room, tier="A", state="compromised")
    refused = client.post(there, answers(3))
    assert refused.status_code == 409
    assert "This is for 4 accounts now" in refused.text
    assert "They got in" in refused.text
    assert client.post(there, answers(4)).status_code == 302
    assert Action.objects.get().accounts.count() == 4


def test_nothing_typed_is_lost_when_an_answer_is_missing(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    response = client_of(asker).post(address(room, accounts), answers(3, kind="", reason="Seen at the gateway"))
    assert response.status_code == 400
    assert "Choose what to do." in response.text
    assert "Seen at the gateway" in response.text
    assert not Action.objects.exists()


def test_a_lock_down_asks_for_its_harm_and_for_when_it_is_looked_at_again(
    room: Incident, asker: User, client_of: ClientOf
) -> None:
    make_account()
    client, there = client_of(asker), address(room, everyone="1", kind="restrict_remote_access")
    page = client.get(there).text
    assert "Restrict remote access for everyone, 1 account" in page
    later = timezone.now() + timedelta(hours=4)
    assert f'value="{later.astimezone(room.zone):%Y-%m-%dT%H}' in page
    given = answers(1, kind="restrict_remote_access")
    past = f"{timezone.now() - timedelta(hours=1):%Y-%m-%dT%H:%M}"
    refused = client.post(there, {**given, "review_at": past})
    assert refused.status_code == 400
    assert "Write down what harm it will do" in refused.text
    assert "Set a time in the future" in refused.text
    future = f"{later.astimezone(room.zone):%Y-%m-%dT%H:%M}"
    assert client.post(there, {**given, "review_at": future, "expected_harm": "No mail on phones"}).status_code == 302
    action = Action.objects.get()
    assert (action.scope, action.expected_harm) == ("everyone", "No mail on phones")
    assert action.review_at == later.replace(second=0, microsecond=0)


def test_a_connection_that_cannot_do_it_is_refused_at_its_field(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    response = client_of(asker).post(address(room, accounts, kind="lock_account"), answers(3, connection="nowhere"))
    assert response.status_code == 400
    assert "Select a valid choice" in response.text
    assert not Action.objects.exists()


def test_a_real_incident_is_never_offered_a_simulated_connection_nor_an_exercise_a_real_one(
    room: Incident, accounts: list[AffectedAccount], asker: User, approver: User, client_of: ClientOf,
    steady: dict[str, object], settings: Any,
) -> None:  # fmt: skip
    settings.CONNECTIONS = {"directory": steady, "people": {"connector": "manual"}, "broken": {"connector": "telnet"}}
    real = make_incident(lead=approver, members=(asker,))
    client = client_of(asker)
    drill = client.get(address(room, accounts)).text
    assert 'value="directory"' in drill
    assert 'value="people"' not in drill
    page = client.get(address(real, [make_affected(real)], kind="lock_account")).text
    assert 'value="people"' in page
    assert 'value="directory"' not in page
    assert "They bring the evidence" in page
    settings.CONNECTIONS = {"people": {"connector": "manual"}}
    assert "An exercise takes a simulated connection" in client.get(address(room, accounts)).text


def test_without_accounts_the_page_asks_for_whom(room: Incident, asker: User, client_of: ClientOf) -> None:
    page = client_of(asker).get(address(room, kind="lock_account", step="x")).text
    assert "For whom?" in page
    assert "?kind=lock_account&amp;step=x&amp;everyone=1" in page
    assert client_of(asker).post(address(room), answers(0)).status_code == 200
    assert not Action.objects.exists()


def test_a_step_with_an_automation_says_what_to_do(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    step = make_step(room, automation="end_sessions", number="2.3")
    client, there = client_of(asker), address(room, accounts, step=step.key)
    page = client.get(there).text
    assert "End sessions for 3 accounts" in page
    assert "for step 2.3" in page
    client.post(there, answers(3, kind="end_sessions"))
    assert Action.objects.get().step == step


def test_accounts_of_another_incident_are_not_taken(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    other = make_affected(make_incident())
    page = client_of(asker).get(address(room, [*accounts, other], kind="lock_account")).text
    assert "Disable sign-in for 3 accounts" in page
    assert other.login not in page


@pytest.mark.parametrize("persona", ["desk", "auditor"])
def test_whoever_may_not_ask_gets_no_form(
    persona: str, request: pytest.FixtureRequest, room: Incident, accounts: list[AffectedAccount], client_of: ClientOf
) -> None:
    client, there = client_of(request.getfixturevalue(persona)), address(room, accounts, kind="lock_account")
    assert client.get(there).status_code == 403
    assert client.post(there, answers(3)).status_code == 403
    assert not Action.objects.exists()


def test_an_incident_that_is_over_takes_no_action(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    Incident.objects.filter(pk=room.pk).update(status="closed")
    client, there = client_of(asker), address(room, accounts, kind="lock_account")
    assert "Nothing is begun in it any more" in client.get(there).text
    assert client.post(there, answers(3)).status_code == 409
    assert not Action.objects.exists()


def test_the_table_and_the_account_lead_here(
    room: Incident, accounts: list[AffectedAccount], asker: User, auditor: User, client_of: ClientOf
) -> None:
    there = reverse("action_new", args=[room.reference])
    table = reverse("accounts", args=[room.reference])
    one = reverse("account_detail", args=[room.reference, accounts[0].pk])
    for page in (table, one):
        assert f'action="{there}"' in client_of(asker).get(page).text
        assert there not in client_of(auditor).get(page).text

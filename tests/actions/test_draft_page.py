"""The page of a draft, and what its forms do."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionExclusion
from runbooks.actions.operations import withdraw
from runbooks.actions.operations.previewing import preview
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.directory.models import Protection
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.actions.acting import RESTRICT, carried_out, drafted, previewed
from tests.factories import make_account, make_affected, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
ClientOf = Callable[[User], Client]


@pytest.fixture
def room(asker: User, approver: User, desk: User, auditor: User) -> Incident:
    return make_incident(lead=approver, members=(asker, desk, auditor), is_exercise=True)


@pytest.fixture
def accounts(room: Incident) -> list[AffectedAccount]:
    return [make_affected(room, tier="A", state="compromised") for _ in range(4)]


@pytest.fixture
def sealed(room: Incident) -> AffectedAccount:
    """A break-glass account among the affected."""
    account = make_account(login="glass@parliament.example")
    Protection.objects.create(
        account=account, kind="break_glass", reason="Sealed in the safe", added_by="A", added_at=timezone.now()
    )
    return make_affected(room, account)


def address(action: Action, verb: str = "") -> str:
    args = [action.incident.reference, action.number]
    return reverse("action_do", args=[*args, verb]) if verb else reverse("action", args=args)


def post(client: Client, action: Action, verb: str, **given: Any) -> Any:
    return client.post(address(action, verb), {"version": str(action.version), **given})


def test_scope_is_a_sum_and_every_exclusion_has_its_reason(
    room: Incident, accounts: list[AffectedAccount], sealed: AffectedAccount, asker: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, accounts=[*accounts, sealed])
    page = client_of(asker).get(address(action)).text
    assert "5 accounts in scope, less 1 excluded, makes 4 accounts that will change." in page
    assert "Sealed in the safe" in page
    assert "IR Portal, by rule" in page
    assert "Disable sign-in for 4 accounts" in page
    assert "They are told that the password is wrong" in page
    assert "not in runbook" not in page
    assert "Ask for a second person" in page


def test_nobody_may_ask_before_the_preview_was_read(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, accounts=accounts)
    Action.objects.update(previewed_at=None)
    client = client_of(asker)
    page = client.get(address(action)).text
    assert "Reading what is there now through directory" in page
    assert address(action, "request") not in page
    refused = post(client, action, "request")
    assert refused.status_code == 409
    assert "The preview is still being read" in refused.text
    preview(action_id=action.pk, clock=timezone.now)
    assert address(action, "request") in client.get(address(action)).text


def test_what_the_preview_could_not_read_is_said_with_the_mend(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, accounts=accounts)
    Action.objects.update(preview_problem="The server does not answer.")
    page = client_of(asker).get(address(action)).text
    assert "Not everything could be read." in page
    assert "The server does not answer. Check the connection, then make the list again." in page


def test_accounts_that_are_so_already_are_counted(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, accounts=accounts)
    # The simulated directory has some locked already, by their names.
    action.accounts.update(was_so=False)
    action.accounts.filter(position__lte=3).update(was_so=True)
    assert "3 of these are so already and stay as they are" in client_of(asker).get(address(action)).text


def test_privileged_members_are_named(room: Incident, asker: User, client_of: ClientOf) -> None:
    admin = make_affected(room, make_account(login="root@parliament.example", is_privileged=True))
    action = drafted(room, asker, accounts=[admin])
    page = client_of(asker).get(address(action)).text
    assert "1 account with privileged rights" in page
    assert "root@parliament.example" in page


def test_asking_makes_it_a_request_of_the_person_signed_in(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, accounts=accounts)
    response = post(client_of(asker), action, "request")
    action.refresh_from_db()
    assert response["Location"] == address(action)
    assert (action.status, action.requested_by) == ("awaiting_approval", asker)
    assert len(action.digest) == 64


def test_a_form_of_an_older_page_asks_for_nothing(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, accounts=accounts)
    response = client_of(asker).post(address(action, "request"), {"version": str(action.version - 1)})
    assert response.status_code == 409
    assert "Somebody else changed action 1 since you opened this page" in response.text
    action.refresh_from_db()
    assert action.status == "draft"


def test_what_takes_no_access_away_begins_without_a_second_person(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, "end_sessions", accounts=accounts)
    client = client_of(asker)
    page = client.get(address(action)).text
    assert "Run now for 4 accounts" in page
    assert "break-glass" not in page
    assert post(client, action, "begin").status_code == 302
    action.refresh_from_db()
    assert action.status == "approved"


def test_what_needs_two_is_not_begun_by_one(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, accounts=accounts)
    refused = post(client_of(asker), action, "begin")
    assert refused.status_code == 403
    assert "This needs a second person. Ask for one." in refused.text
    action.refresh_from_db()
    assert action.status == "draft"


def test_people_leave_accounts_alone_by_name_and_reason(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    action, client = drafted(room, asker, accounts=accounts), client_of(asker)
    logins = f"{accounts[0].login}\n {accounts[1].login.upper()} \n"
    assert post(client, action, "exclude", logins=logins, reason="Clerks of the sitting").status_code == 302
    assert action.accounts.count() == 2
    page = client.get(address(action)).text
    assert "Clerks of the sitting" in page
    assert "not in runbook" in page
    assert "4 accounts in scope, less 2 excluded" in page


def test_a_login_that_is_not_on_the_list_changes_nothing_and_stays_typed(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, accounts=accounts)
    logins = f"{accounts[0].login}\nnobody@nowhere.example"
    response = post(client_of(asker), action, "exclude", logins=logins, reason="Clerks")
    assert response.status_code == 400
    assert "Not on the list: nobody@nowhere.example" in response.text
    assert logins in response.text
    assert 'id="do-exclude" open' in response.text
    assert action.accounts.count() == 4
    missing = post(client_of(asker), action, "exclude", logins="", reason="")
    assert missing.status_code == 400
    assert "Name the accounts to leave alone" in missing.text


def test_taking_in_a_protected_account_needs_a_reason_and_a_tick(
    room: Incident, accounts: list[AffectedAccount], sealed: AffectedAccount, asker: User, client_of: ClientOf
) -> None:
    action, client = drafted(room, asker, accounts=[*accounts, sealed]), client_of(asker)
    refused = post(client, action, "take-in", login=sealed.login, reason="Seen in use")
    assert refused.status_code == 400
    assert "Tick this when you know what stops working" in refused.text
    assert not action.accounts.filter(login=sealed.login).exists()
    assert post(client, action, "take-in", login=sealed.login, reason="Seen in use", sure="on").status_code == 302
    row = ActionExclusion.objects.get(login=sealed.login)
    assert (row.taken_in_by, row.taken_in_reason) == (str(asker), "Seen in use")
    assert action.accounts.filter(login=sealed.login).exists()
    page = client.get(address(action)).text
    assert "Taken in although protected" in page
    assert "Seen in use" in page


def test_making_the_list_again_takes_who_came_and_keeps_what_people_chose(
    room: Incident, asker: User, client_of: ClientOf
) -> None:
    first = [make_account() for _ in range(3)]
    harm = {"expected_harm": "None", "review_at": timezone.now() + timezone.timedelta(hours=4)}
    action, client = drafted(room, asker, RESTRICT, everyone=True, **harm), client_of(asker)
    post(client, action, "exclude", logins=first[0].login, reason="Duty")
    new = make_account()
    assert post(client, action, "resolve").status_code == 302
    assert set(action.accounts.values_list("login", flat=True)) == {first[1].login, first[2].login, new.login}
    assert ActionExclusion.objects.get().reason == "Duty"


def test_a_draft_that_is_withdrawn_stays_to_be_seen(
    room: Incident, accounts: list[AffectedAccount], asker: User, client_of: ClientOf
) -> None:
    action, client = drafted(room, asker, accounts=accounts), client_of(asker)
    assert post(client, action, "withdraw").status_code == 302
    page = client.get(address(action)).text
    assert "This action was withdrawn before it began." in page
    assert "do-exclude" not in page
    assert post(client, action, "request").status_code == 409


def test_a_kind_that_was_rolled_back_here_says_so(
    room: Incident, accounts: list[AffectedAccount], asker: User, approver: User, client_of: ClientOf
) -> None:
    from_before = drafted(room, asker, accounts=accounts[:1])
    Action.objects.filter(pk=from_before.pk).update(status="rolled_back", approved_by=approver, requested_by=asker)
    undoing = drafted(room, asker, "unlock_account", accounts=accounts[:1])
    Action.objects.filter(pk=undoing.pk).update(
        undoes=from_before, status="done", finished_at=timezone.now(), approved_by=approver, requested_by=asker
    )
    action = drafted(room, asker, accounts=accounts)
    assert "on 1 account" in client_of(asker).get(address(action)).text


def test_names_come_fifty_a_page(room: Incident, asker: User, client_of: ClientOf) -> None:
    rows = [make_affected(room, make_account(login=f"u{number:03}@parliament.example")) for number in range(60)]
    action, client = drafted(room, asker, accounts=rows), client_of(asker)
    first = client.get(address(action)).text
    assert "u049@" in first
    assert "u050@" not in first
    second = client.get(f"{address(action)}?after=50").text
    assert "u050@" in second
    assert "u049@" not in second


def test_readers_see_the_draft_and_no_form(
    room: Incident, accounts: list[AffectedAccount], asker: User, auditor: User, desk: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, accounts=accounts)
    for person in (auditor, desk):
        client = client_of(person)
        page = client.get(address(action)).text
        assert "Your role reads actions and does not ask for them." in page
        assert "/do/" not in page
        for verb in ("request", "begin", "withdraw", "exclude", "take-in", "resolve", "break-glass", "decide"):
            assert post(client, action, verb, logins="x", login="x", reason="x", password="x").status_code == 403
    action.refresh_from_db()
    assert action.status == "draft"


def test_an_outsider_and_another_incident_find_no_action(
    room: Incident, accounts: list[AffectedAccount], asker: User, outsider: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, accounts=accounts)
    assert client_of(outsider).get(address(action)).status_code == 404
    assert post(client_of(outsider), action, "request").status_code == 404
    other = make_incident(members=(asker,))
    client = client_of(asker)
    assert client.get(reverse("action", args=[other.reference, action.number])).status_code == 404
    assert client.get(reverse("action", args=[room.reference, 10**12])).status_code == 404
    assert client.get(address(action, "request"))["Location"] == address(action)
    assert client.post(address(action, "explode")).status_code == 404


def test_the_actions_before_are_seen_as_they_ended_up(
    room: Incident, accounts: list[AffectedAccount], asker: User, approver: User, client_of: ClientOf
) -> None:
    begun = drafted(room, asker, "end_sessions", accounts=accounts)
    assert post(client_of(asker), begun, "begin").status_code == 302
    carried_out(begun)
    page = client_of(asker).get(address(begun)).text
    assert "do-exclude" not in page
    assert previewed(begun).status == "done"
    withdrawn = drafted(room, asker, accounts=accounts)
    withdraw(action_id=withdrawn.pk, actor=actor_for(asker), at=timezone.now())
    kinds = TimelineEvent.objects.filter(incident=room, kind__startswith="action.").values_list("kind", flat=True)
    assert {"action.drafted", "action.previewed", "action.requested", "action.cancelled"} <= set(kinds)

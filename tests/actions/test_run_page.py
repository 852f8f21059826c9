"""The page of an action that has begun: how far it is, what was read back, what its reader may do."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations import pause
from runbooks.actions.queries.ledger import PAGE, ledger_page
from runbooks.actions.queries.progress import Progress, progress_of
from runbooks.actions.views.wording import counts_in_words, pace
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.incidents.models import Incident
from tests.actions.acting import approved, done, drafted, requested
from tests.factories import make_affected, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
ClientOf = Callable[[User], Client]


@pytest.fixture
def room(asker: User, approver: User, desk: User, auditor: User) -> Incident:
    return make_incident(lead=approver, members=(asker, desk, auditor), is_exercise=True)


@pytest.fixture
def accounts(room: Incident) -> list[AffectedAccount]:
    return [make_affected(room, tier="A", state="compromised") for _ in range(5)]


@pytest.fixture
def locked(room: Incident, accounts: list[AffectedAccount], asker: User, approver: User) -> Action:
    """Sign-in of five accounts was disabled, and read back."""
    return done(drafted(room, asker, accounts=accounts), asker, approver)


def address(action: Action, query: str = "") -> str:
    return reverse("action", args=[action.incident.reference, action.number]) + query


def text_of(client: Client, action: Action, query: str = "") -> str:
    response = client.get(address(action, query))
    assert response.status_code == 200
    return response.text


def ledger_rows(page: str) -> int:
    return page.partition("<tbody>")[2].count("<tr>")


def change(action: Action, count: int, **fields: Any) -> None:
    """Make the first rows of the ledger so, whatever led there."""
    chosen = ActionAccount.objects.filter(action=action).order_by("position")[:count]
    ActionAccount.objects.filter(pk__in=[row.pk for row in chosen]).update(**fields)


def test_it_tells_how_far_it_is_who_decided_and_what_was_read_back(
    locked: Action, asker: User, approver: User, auditor: User, client_of: ClientOf
) -> None:
    page = text_of(client_of(auditor), locked)
    assert "<b>5 of 5</b> done" in page
    assert "5 of 5 accounts as asked" in page
    assert f"<b>Asked for</b> by {asker}" in page
    assert f"<b>Approved</b> by {approver}, with their password" in page
    assert " ".join(locked.digest[start : start + 8] for start in range(0, 64, 8)) in page
    assert "They got in" in page


def test_each_account_shows_what_was_before_what_was_asked_for_and_what_was_read_back(
    locked: Action, auditor: User, client_of: ClientOf
) -> None:
    change(locked, 1, before_facts={"locked": False})
    row = text_of(client_of(auditor), locked).split("<tbody>")[1].split("</tr>")[0]
    cell = row.split('<td class="w">')[1].split("</td>")[0]
    said = [re.sub(r"<[^>]+>", "", part).strip() for part in cell.split("→")]
    assert said == ["enabled", "disabled", "disabled"]


def test_an_auditor_reads_and_has_no_button(locked: Action, auditor: User, client_of: ClientOf) -> None:
    page = text_of(client_of(auditor), locked)
    for word in ("/do/", 'name="row"', "Roll back", "Pause"):
        assert word not in page
    assert "Download as CSV" in page


def test_who_may_ask_may_draft_a_rollback_for_all_or_for_some(
    locked: Action, asker: User, desk: User, client_of: ClientOf
) -> None:
    page = text_of(client_of(asker), locked)
    assert "Draft a rollback for 5 accounts" in page
    assert page.count('name="row"') == 5
    assert "rollback" not in text_of(client_of(desk), locked)


def test_what_cannot_be_undone_says_so(
    room: Incident, accounts: list[AffectedAccount], asker: User, approver: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, kind="end_sessions", accounts=accounts)
    Action.objects.filter(pk=action.pk).update(status="done", started_at=timezone.now(), finished_at=timezone.now())
    change(action, 5, status="done", before={})
    page = text_of(client_of(asker), action)
    assert "Ended sessions do not come back" in page
    assert "Draft a rollback" not in page


def test_a_running_one_may_be_paused_and_the_rest_cancelled(
    room: Incident, accounts: list[AffectedAccount], asker: User, approver: User, client_of: ClientOf
) -> None:
    action = approved(requested(drafted(room, asker, accounts=accounts), asker), approver)
    page = text_of(client_of(asker), action)
    assert "as soon as a worker is free" in page
    assert "Pause" in page
    assert "Cancel the 5 left" in page
    pause(action_id=action.pk, reason="The desk is swamped", actor=actor_for(asker), at=timezone.now())
    page = text_of(client_of(asker), action)
    assert "The desk is swamped" in page
    assert "Resume" in page


def test_failures_are_offered_again_and_what_nobody_knows_is_for_a_person(
    locked: Action, asker: User, client_of: ClientOf
) -> None:
    Action.objects.filter(pk=locked.pk).update(status="done_with_failures")
    change(locked, 3, status="failed", message="The entry is protected.")
    change(locked, 1, status="unknown", message="Check the account.")
    page = text_of(client_of(asker), locked)
    assert "Retry 2 failed" in page
    assert "1 account needs a person." in page
    assert "Settle accounts by hand" in page
    failed = text_of(client_of(asker), locked, "?show=failed").split("<tbody>")[1]
    assert failed.count("The entry is protected.") == 2
    assert "Check the account." not in failed


def test_what_differs_is_said_before_anything_else_is(locked: Action, asker: User, client_of: ClientOf) -> None:
    change(locked, 2, verdict="differs", read_back={"locked": False})
    page = text_of(client_of(asker), locked, "?show=differs")
    assert "2 accounts differ from what was asked for." in page
    assert page.split("<tbody>")[1].count("Differs: enabled") == 2


def test_a_ledger_opens_with_what_is_not_as_asked_for_once_nothing_is_sent(
    locked: Action, asker: User, client_of: ClientOf
) -> None:
    change(locked, 1, status="failed", verdict="")
    assert text_of(client_of(asker), locked, "?show=all").count("<tr><td") == 5
    Action.objects.filter(pk=locked.pk).update(status="done_with_failures")
    only_failed = text_of(client_of(asker), locked)
    assert only_failed.count("<tr><td") == 1
    assert "Not as asked" not in only_failed
    change(locked, 3, verdict="differs", read_back={"locked": False})
    change(locked, 1, verdict="")
    both = text_of(client_of(asker), locked)
    assert both.count("<tr><td") == 3
    assert ' aria-current="true">Not as asked 3' in both
    Action.objects.filter(pk=locked.pk).update(status="running", finished_at=None)
    assert text_of(client_of(asker), locked).count("<tr><td") == 5


def test_one_account_is_found_among_thousands_by_its_name(locked: Action, asker: User, client_of: ClientOf) -> None:
    row = locked.accounts.get(position=3)
    found = text_of(client_of(asker), locked, f"?q={row.login.upper()}")
    assert found.count("<tr><td") == 1
    assert row.login in found.split("<tbody>")[1]
    assert "has “nobody-like-this” in its name" in text_of(client_of(asker), locked, "?q=nobody-like-this")


def test_what_differs_is_asked_for_again_from_the_accounts(locked: Action, asker: User, client_of: ClientOf) -> None:
    change(locked, 2, verdict="differs", read_back={"locked": False})
    again = f'href="/incidents/{locked.incident.reference}/accounts/?differs=1"'
    assert again in text_of(client_of(asker), locked)


def test_a_row_put_back_names_the_action_that_did(locked: Action, asker: User, client_of: ClientOf) -> None:
    change(locked, 1, undone_at=timezone.now(), undone_by=locked)
    assert f'Put back <span class="muted">by action {locked.number}</span>' in text_of(client_of(asker), locked)


def test_a_ledger_is_read_page_by_page(locked: Action, asker: User, client_of: ClientOf) -> None:
    many = [make_affected(locked.incident, state="compromised", tier="A") for _ in range(PAGE)]
    ActionAccount.objects.bulk_create(
        ActionAccount(action=locked, account=one.account, login=one.login, position=number)
        for number, one in enumerate(many, start=6)
    )
    first = ledger_page(locked.pk)
    assert (len(first.rows), first.after) == (PAGE, PAGE)
    rest = ledger_page(locked.pk, after=first.after)
    assert ([row.position for row in rest.rows], rest.after) == ([101, 102, 103, 104, 105], 0)
    assert ledger_rows(text_of(client_of(asker), locked, "?after=100")) == 5


@pytest.mark.parametrize("query", ["?show=nonsense", "?after=x", f"?after={10**18}", "?after=-1"])
def test_odd_addresses_show_the_whole_ledger(locked: Action, asker: User, client_of: ClientOf, query: str) -> None:
    assert ledger_rows(text_of(client_of(asker), locked, query)) == 5


@pytest.mark.parametrize("query", ["?show=failed", f"?after={10**18 - 1}"])
def test_where_nothing_is_left_of_the_ledger_no_row_is_shown(
    locked: Action, asker: User, client_of: ClientOf, query: str
) -> None:
    assert ledger_rows(text_of(client_of(asker), locked, query)) == 0


def test_it_makes_the_same_queries_whatever_the_number_of_accounts(
    locked: Action, approver: User, client_of: ClientOf
) -> None:
    client = client_of(approver)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text_of(client, locked)
        return len(captured)

    queries()
    few = queries()
    many = [make_affected(locked.incident) for _ in range(60)]
    ActionAccount.objects.bulk_create(
        ActionAccount(action=locked, account=one.account, login=one.login, position=number, status="failed")
        for number, one in enumerate(many, start=6)
    )
    assert queries() == few


def test_an_outsider_finds_none_of_it(locked: Action, outsider: User, client_of: ClientOf) -> None:
    client = client_of(outsider)
    for name in ("action", "action_accounts_csv", "action_work_list"):
        found = client.get(reverse(name, args=[locked.incident.reference, locked.number]))
        assert found.status_code == 404


def test_counts_are_said_in_words() -> None:
    assert counts_in_words(Progress(done=57, failed=2, waiting=31)) == "57 of 90 done, 2 failed, 31 waiting"
    assert counts_in_words(Progress(done=1, already=1, pending=3, unknown=1, skipped=4)) == (
        "2 of 6 done, 1 not known, 3 with people, 4 left alone"
    )


def test_rate_and_time_left_are_those_of_the_last_minute(locked: Action) -> None:
    now = timezone.now()
    locked.status, locked.started_at = Action.Status.RUNNING, now - timedelta(minutes=5)
    counted = Progress(done=500, waiting=1200, recent=600)
    assert pace(locked, counted, now) == "10 a second, about 2 min left"
    assert pace(locked, Progress(done=500, waiting=30, recent=30), now) == "30 a minute, about 1 min left"
    assert pace(locked, Progress(done=500, waiting=30), now) == ""
    locked.started_at = now - timedelta(seconds=10)
    assert Progress(recent=50).rate(locked, now) == 5


def test_progress_counts_statuses_verdicts_and_what_can_be_undone(locked: Action) -> None:
    change(locked, 2, status="failed", before=None, verdict="")
    change(locked, 1, status="unknown")
    counted = progress_of(locked, timezone.now())
    assert (counted.good, counted.bad, counted.holds, counted.undoable) == (3, 2, 3, 3)
    assert counted.recent == 5


def test_it_leads_to_its_entries_in_the_timeline(locked: Action, auditor: User, client_of: ClientOf) -> None:
    client = client_of(auditor)
    page = text_of(client, locked)
    address = next(part.split('"')[0] for part in page.split('href="') if "/timeline/?q=" in part)
    assert "read back, 5 of 5 accounts as asked" in client.get(address).text

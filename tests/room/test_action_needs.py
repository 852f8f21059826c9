"""What of an incident's actions stands under “Needs you now”, for whom, and in which order."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations import break_glass, pause
from runbooks.actions.queries.attention import attention
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.incidents.models import Incident
from runbooks.room.queries.action_needs import action_needs
from runbooks.room.queries.work import my_requests, work_count
from tests.actions.acting import approved, carried_out, confirmed, done, drafted, requested
from tests.factories import make_affected, make_incident, make_user

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture(autouse=True)
def _steady(settings: Any) -> None:
    settings.CONNECTIONS = {
        "directory": {
            "connector": "simulated",
            "throttled": 0,
            "busy": 0,
            "slipping": 0,
            "refused": 0,
            "lag_seconds": 0,
        }
    }


@pytest.fixture
def room(coordinator: User, approver: User, responder: User, desk: User, auditor: User) -> Incident:
    return make_incident(lead=coordinator, members=(approver, responder, desk, auditor), is_exercise=True)


@pytest.fixture
def accounts(room: Incident) -> list[AffectedAccount]:
    return [make_affected(room) for _ in range(3)]


def needs_of(user: User, incident: Incident) -> list[str]:
    found = action_needs(incident, attention(incident.pk), actor_for(user), timezone.now())
    return [need.title for need in found]


def change(action: Action, count: int, **fields: Any) -> None:
    chosen = ActionAccount.objects.filter(action=action).order_by("position")[:count]
    ActionAccount.objects.filter(pk__in=[row.pk for row in chosen]).update(**fields)


def test_a_request_waits_for_others_who_lead_and_not_for_who_asked(
    room: Incident, accounts: list[AffectedAccount], coordinator: User, approver: User, responder: User
) -> None:
    requested(drafted(room, coordinator, accounts=accounts), coordinator)
    assert needs_of(approver, room) == ["Disable sign-in for 3 accounts: decide"]
    assert needs_of(coordinator, room) == []
    assert needs_of(responder, room) == []


def test_what_is_done_needs_nobody(
    room: Incident, accounts: list[AffectedAccount], coordinator: User, approver: User
) -> None:
    done(drafted(room, coordinator, accounts=accounts), coordinator, approver)
    assert attention(room.pk) == []


def test_a_paused_action_and_failures_wait_for_who_controls_actions(
    room: Incident, accounts: list[AffectedAccount], coordinator: User, approver: User, responder: User, desk: User
) -> None:
    first = done(drafted(room, coordinator, accounts=accounts), coordinator, approver)
    change(first, 2, status="failed")
    Action.objects.filter(pk=first.pk).update(status="done_with_failures")
    second = drafted(room, coordinator, kind="restrict_remote_access", accounts=accounts)
    second = approved(requested(second, coordinator), approver)
    pause(action_id=second.pk, reason="The desk is swamped", actor=actor_for(coordinator), at=timezone.now())
    assert needs_of(responder, room) == [
        "Action 2 is paused: restrict remote access",
        "Disable sign-in failed for 2 accounts",
    ]
    assert needs_of(desk, room) == []


def test_what_was_cancelled_with_failures_was_decided(
    room: Incident, accounts: list[AffectedAccount], coordinator: User, approver: User
) -> None:
    action = done(drafted(room, coordinator, accounts=accounts), coordinator, approver)
    change(action, 2, status="failed")
    Action.objects.filter(pk=action.pk).update(status="cancelled")
    assert needs_of(approver, room) == []


def test_what_differs_is_said_in_words_until_it_is_put_back_or_acted_on_again(
    room: Incident, accounts: list[AffectedAccount], coordinator: User, approver: User
) -> None:
    action = done(drafted(room, coordinator, accounts=accounts), coordinator, approver)
    change(action, 2, verdict="differs")
    assert needs_of(coordinator, room) == ["Sign-in of 2 accounts is still enabled"]
    change(action, 1, undone_at=timezone.now())
    assert needs_of(coordinator, room) == ["Sign-in of 1 account is still enabled"]
    done(drafted(room, coordinator, accounts=accounts), coordinator, approver)
    assert needs_of(coordinator, room) == []


def test_a_later_action_on_another_fact_does_not_hide_what_differs(
    room: Incident, accounts: list[AffectedAccount], coordinator: User, approver: User
) -> None:
    action = done(drafted(room, coordinator, accounts=accounts), coordinator, approver)
    change(action, 1, verdict="differs")
    done(drafted(room, coordinator, kind="restrict_remote_access", accounts=accounts), coordinator, approver)
    assert needs_of(coordinator, room) == ["Sign-in of 1 account is still enabled"]


def test_what_is_with_people_waits_for_who_settles(
    room: Incident, accounts: list[AffectedAccount], coordinator: User, approver: User, responder: User, auditor: User
) -> None:
    action = done(drafted(room, coordinator, accounts=accounts), coordinator, approver)
    change(action, 2, status="pending")
    change(action, 1, status="unknown")
    assert needs_of(responder, room) == ["2 accounts of action 1 need a person"]
    assert needs_of(auditor, room) == []


def test_what_one_person_began_waits_for_another_to_review_it_also_afterwards(
    room: Incident, accounts: list[AffectedAccount], coordinator: User, approver: User
) -> None:
    action = drafted(room, coordinator, accounts=accounts)
    proof, at = confirmed(coordinator), timezone.now()
    break_glass(action_id=action.pk, reason="Now", confirmed=proof, actor=actor_for(coordinator), at=at)
    carried_out(action)
    assert needs_of(approver, room) == ["Action 1 was begun without a second person"]
    assert needs_of(coordinator, room) == []
    room.status = "closed"
    assert needs_of(approver, room) == ["Action 1 was begun without a second person"]


def test_the_most_dangerous_stands_first(
    room: Incident, accounts: list[AffectedAccount], coordinator: User, approver: User
) -> None:
    action = done(drafted(room, coordinator, accounts=accounts), coordinator, approver)
    change(action, 3, verdict="differs")
    change(action, 2, status="failed", verdict="")
    change(action, 1, status="unknown", verdict="")
    Action.objects.filter(pk=action.pk).update(status="done_with_failures")
    requested(drafted(room, coordinator, kind="restrict_remote_access", accounts=accounts), coordinator)
    assert needs_of(approver, room) == [
        "Restrict remote access for 3 accounts: decide",
        "Disable sign-in failed for 1 account",
        "Sign-in of 1 account is still enabled",
        "1 account of action 1 needs a person",
    ]


def test_the_overview_shows_them_with_their_buttons(
    room: Incident, accounts: list[AffectedAccount], coordinator: User, approver: User, client_of: ClientOf
) -> None:
    requested(drafted(room, coordinator, accounts=accounts), coordinator)
    page = client_of(approver).get(reverse("incident", args=[room.reference])).text
    assert "Disable sign-in for 3 accounts: decide" in page
    assert ">Decide</a>" in page


def test_it_is_two_queries_whatever_the_number_of_actions(
    room: Incident, accounts: list[AffectedAccount], coordinator: User, approver: User
) -> None:
    for kind in ("lock_account", "restrict_remote_access"):
        for _ in range(2):
            change(
                done(drafted(room, coordinator, kind=kind, accounts=accounts), coordinator, approver),
                1,
                status="unknown",
            )
    with CaptureQueriesContext(connection) as captured:
        assert len(attention(room.pk)) == 4
    assert len(captured) == 2


def test_requests_are_in_the_work_of_who_may_decide(
    room: Incident,
    accounts: list[AffectedAccount],
    coordinator: User,
    approver: User,
    responder: User,
    outsider: User,
    client_of: ClientOf,
) -> None:
    action = requested(drafted(room, responder, accounts=accounts), responder)
    waiting = {user: len(my_requests(actor_for(user))) for user in (coordinator, approver, responder, outsider)}
    assert list(waiting.values()) == [1, 1, 0, 0]
    counts = {user: work_count(actor_for(user), timezone.now()) for user in waiting}
    assert counts == waiting
    page = client_of(approver).get(reverse("my_work")).text
    assert reverse("action", args=[room.reference, action.number]) in page
    assert "They got in" in page
    assert "They got in" not in client_of(outsider).get(reverse("my_work")).text


def test_requests_of_incidents_one_left_or_that_are_over_wait_for_nobody(
    room: Incident, accounts: list[AffectedAccount], approver: User, responder: User, coordinator: User
) -> None:
    requested(drafted(room, responder, accounts=accounts), responder)
    room.memberships.filter(user=approver).update(ended_at=timezone.now())
    assert my_requests(actor_for(approver)) == []
    Incident.objects.filter(pk=room.pk).update(status="closed", closed_at=timezone.now())
    assert my_requests(actor_for(coordinator)) == []
    assert work_count(actor_for(coordinator), timezone.now()) == 0


def test_another_incident_tells_nothing(room: Incident, accounts: list[AffectedAccount], coordinator: User) -> None:
    requested(drafted(room, coordinator, accounts=accounts), coordinator)
    assert attention(make_incident(lead=make_user(Role.COORDINATOR)).pk) == []

"""The banner of every page: for how many remote access is restricted now, by what was read back."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, RestorationStage
from runbooks.actions.operations import StagePlan, draft_rollback
from runbooks.actions.operations.running import run
from runbooks.actions.queries.restriction import restriction_of
from runbooks.incidents.models import Incident
from runbooks.room.queries.header import Banner, header
from tests.actions.acting import RESTRICT, Clock, approved, done, drafted, previewed, requested
from tests.actions.conftest import asker, steady
from tests.actions.test_stages import REST, for_everyone, planned, stage_draft
from tests.factories import make_account, make_affected, make_incident, make_step

__all__ = ["asker", "steady"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]


@pytest.fixture
def room(asker: User, approver: User) -> Incident:
    for _ in range(4):
        make_account()
    return make_incident(lead=approver, members=(asker,), is_exercise=True)


def banner(incident: Incident) -> Banner:
    incident.refresh_from_db()
    return header(incident, timezone.now()).banner


def closed_step(incident: Incident) -> None:
    at = timezone.now() - timedelta(hours=1)
    make_step(incident, number="2.3", automation="restrict_remote_access", status="succeeded", closed_at=at)


def lock_down(room: Incident, asker: User, approver: User) -> Action:
    return done(drafted(room, asker, RESTRICT, **for_everyone()), asker, approver)


def test_a_lock_down_is_told_with_its_numbers_from_read_back(room: Incident, asker: User, approver: User) -> None:
    make_account(kind="service")
    action = lock_down(room, asker, approver)
    shown = banner(room)
    since, read_back = (
        f"{moment.astimezone(room.zone):%H:%M}"
        for moment in (action.started_at, max(action.accounts.values_list("read_back_at", flat=True)))
        if moment
    )
    assert shown.main == (f"Remote access is restricted for 4 of 5 accounts since {since}, read back {read_back}.")
    assert (shown.tone, shown.icon) == ("held", "lock")


def test_before_it_is_read_back_the_banner_says_so(room: Incident, asker: User, approver: User) -> None:
    action = approved(requested(drafted(room, asker, RESTRICT, **for_everyone()), asker), approver)
    clock = Clock()
    run(action_id=action.pk, clock=clock, patience=clock.sleep)
    main = banner(room).main
    assert main.startswith("Remote access is restricted for 4 of 4 accounts since ")
    assert main.endswith(", by what was answered, not read back.")


def test_the_banner_leads_to_the_way_back_once_everyone_was_restricted(
    room: Incident, asker: User, approver: User
) -> None:
    done(drafted(room, asker, RESTRICT, [make_affected(room)]), asker, approver)
    assert banner(room).way_back == ""
    action = lock_down(room, asker, approver)
    assert banner(room).way_back == f"/incidents/{room.reference}/actions/{action.number}/stages/"


def test_a_draft_restricts_nobody(room: Incident, asker: User) -> None:
    drafted(room, asker, RESTRICT, **for_everyone())
    assert restriction_of(room.pk) is None
    assert banner(room).main == "No access restrictions."


def test_stages_that_came_back_are_counted_apart_until_nothing_is_left(
    room: Incident, asker: User, approver: User
) -> None:
    closed_step(room)
    action = drafted(room, asker, RESTRICT, **for_everyone())
    login = action.accounts.get(position=1).login
    pilot, rest = planned(action, asker, StagePlan("Pilot", RestorationStage.Selector.NAMED, [login]), REST)
    action = done(action, asker, approver)
    done(stage_draft(pilot, asker), asker, approver)
    shown = banner(room)
    assert shown.main.startswith("Remote access is restricted for 3 of 4 accounts since ")
    assert shown.rest.startswith("1 given back in stages.")
    back = done(stage_draft(rest, asker), asker, approver)
    shown = banner(room)
    assert (shown.tone, shown.main) == ("none", "No access restrictions.")
    assert shown.rest.startswith("Remote access was given back to 4 accounts.")
    again = draft_rollback(action_id=back.pk, reason="Too early", actor=actor_for(asker), at=timezone.now())
    done(previewed(again), asker, approver)
    assert banner(room).main.startswith("Remote access is restricted for 3 of 4 accounts since ")


def test_what_no_longer_holds_is_not_counted_and_said(room: Incident, asker: User, approver: User) -> None:
    action = lock_down(room, asker, approver)
    action.accounts.filter(position=1).update(verdict="differs")
    shown = banner(room)
    assert shown.main.startswith("Remote access is restricted for 3 of 4 accounts")
    assert shown.rest.startswith("1 account is still open.")
    action.accounts.filter(position=2).update(status="failed", verdict="")
    shown = banner(room)
    assert shown.main.startswith("Remote access is restricted for 2 of 4 accounts")
    assert shown.rest.startswith("1 account is still open, 1 more failed.")
    action.accounts.update(status="done", verdict="differs")
    shown = banner(room)
    assert (shown.tone, shown.main) == ("bad", "Remote access is still open for 4 accounts that should be restricted.")


def test_two_actions_on_one_account_count_it_once(room: Incident, asker: User, approver: User) -> None:
    row = make_affected(room)
    done(drafted(room, asker, RESTRICT, [row]), asker, approver)
    lock_down(room, asker, approver)
    assert banner(room).main.startswith("Remote access is restricted for 5 of 5 accounts")


def test_a_step_alone_is_said_by_the_step(room: Incident) -> None:
    closed_step(room)
    main = banner(room).main
    assert main.startswith("Remote access is restricted since ")
    assert main.endswith(", said by step 2.3, not read back.")


def test_a_step_that_says_more_than_a_small_action_is_not_passed_over(
    room: Incident, asker: User, approver: User
) -> None:
    closed_step(room)
    done(drafted(room, asker, RESTRICT, [make_affected(room)]), asker, approver)
    shown = banner(room)
    assert shown.main.startswith("Remote access is restricted for 1 of 5 accounts")
    assert shown.rest.startswith("Step 2.3 says that more are, not read back.")


def test_it_takes_one_query(room: Incident, asker: User, approver: User, django_assert_num_queries: Any) -> None:
    lock_down(room, asker, approver)
    with django_assert_num_queries(1):
        assert restriction_of(room.pk) is not None

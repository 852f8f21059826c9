"""Attacks on the gates of the way back: neither haste nor another door lets in who may not come back yet."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionExclusion, RestorationStage
from runbooks.actions.operations import ListChangedError, StagePlan, draft_rollback, draft_stage, plan_stages, take_in
from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.affected_accounts.operations import change_state
from runbooks.directory.models import Account
from runbooks.incidents.models import Incident
from tests.actions.acting import RESTRICT, approved, done, drafted, previewed, requested
from tests.factories import make_account, make_affected, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
Selector, Status = RestorationStage.Selector, Action.Status


@pytest.fixture
def room(asker: User, approver: User) -> Incident:
    return make_incident(lead=approver, members=(asker,), is_exercise=True)


@pytest.fixture
def people() -> list[Account]:
    return [make_account() for _ in range(6)]


@pytest.fixture
def lock_down(room: Incident, people: list[Account], asker: User, approver: User) -> Action:
    """Two come back first, and nobody may be seen harmed after; then the rest."""
    harm: dict[str, Any] = {"expected_harm": "No email", "review_at": timezone.now() + timedelta(hours=4)}
    action = drafted(room, asker, RESTRICT, everyone=True, **harm)
    stages = [
        StagePlan("Pilot", Selector.NAMED, [people[0].login, people[1].login]),
        StagePlan("Everybody left", Selector.REST),
    ]
    plan_stages(action_id=action.pk, stages=stages, actor=actor_for(asker), at=timezone.now())
    return done(previewed(action), asker, approver)


def stage_drafted(lock_down: Action, position: int, by: User) -> Action:
    stage = lock_down.stages.get(position=position)
    return previewed(draft_stage(stage_id=stage.pk, reason="Quiet", actor=actor_for(by), at=timezone.now()))


def harmed(room: Incident, account: Account, by: User) -> AffectedAccount:
    row = make_affected(room, account, state=State.RESTORED, tier="A")
    change_state(
        incident_id=room.pk, account_ids=[row.pk], after=State.COMPROMISED, reason="Seen", actor=actor_for(by),
        at=timezone.now(),
    )  # fmt: skip
    return row


def test_harm_seen_after_the_request_stops_the_approval_of_the_next_stage(
    lock_down: Action, room: Incident, people: list[Account], asker: User, approver: User
) -> None:
    done(stage_drafted(lock_down, 1, asker), asker, approver)
    rest = requested(stage_drafted(lock_down, 2, asker), asker)
    harmed(room, people[0], approver)
    assert approved(rest, approver).status == Status.DRAFT
    with pytest.raises(ListChangedError, match="seen harmed"):
        requested(rest, asker)


def test_rolling_back_the_whole_lock_down_is_no_way_around_the_gate(
    lock_down: Action, room: Incident, people: list[Account], asker: User, approver: User
) -> None:
    harmed(room, people[2], approver)
    back = previewed(draft_rollback(action_id=lock_down.pk, reason="Over", actor=actor_for(asker), at=timezone.now()))
    assert people[2].login not in set(back.accounts.values_list("login", flat=True))
    assert back.accounts.count() == 5
    assert back.exclusions.get().kind == ActionExclusion.Kind.GATE
    harmed(room, people[3], approver)
    with pytest.raises(ListChangedError, match="may not come back"):
        requested(back, asker)


def test_nor_is_rolling_back_the_one_account(
    lock_down: Action, room: Incident, people: list[Account], asker: User, approver: User
) -> None:
    harmed(room, people[2], approver)
    row = lock_down.accounts.get(account=people[2])
    back = draft_rollback(
        action_id=lock_down.pk, reason="Over", row_ids=[row.pk], actor=actor_for(asker), at=timezone.now()
    )
    assert not back.accounts.exists()
    take_in(
        action_id=back.pk, login=people[2].login, reason="Needs it to be looked at", actor=actor_for(asker),
        at=timezone.now(),
    )  # fmt: skip
    knowingly = done(previewed(back), asker, approver)
    assert knowingly.status == Status.DONE


def test_a_row_of_another_action_is_not_put_back_by_its_number(
    lock_down: Action, room: Incident, asker: User, approver: User
) -> None:
    other = done(drafted(room, asker, accounts=[make_affected(room)]), asker, approver)
    row = other.accounts.get()
    back = draft_rollback(
        action_id=lock_down.pk, reason="Over", row_ids=[row.pk, lock_down.accounts.order_by("position")[0].pk],
        actor=actor_for(asker), at=timezone.now(),
    )  # fmt: skip
    assert back.accounts.count() == 1
    assert not back.accounts.filter(account=row.account).exists()


def test_undoing_the_undoing_of_a_stage_is_no_way_around_the_gate(
    lock_down: Action, room: Incident, people: list[Account], asker: User, approver: User
) -> None:
    pilot = done(stage_drafted(lock_down, 1, asker), asker, approver)

    def back_from(action: Action) -> Action:
        return previewed(draft_rollback(action_id=action.pk, reason="Wrong", actor=actor_for(asker), at=timezone.now()))

    harmed(room, people[0], approver)
    restricted = back_from(pilot)
    assert restricted.accounts.count() == 2, "taking access away again waits for no gate"
    done(restricted, asker, approver)
    again = back_from(restricted)
    assert {one.login for one in again.exclusions.all()} == {people[0].login}
    assert {one.login for one in again.accounts.all()} == {people[1].login}

"""The way back from a lock-down in stages: its plan, its gates and its stop rule."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionExclusion, RestorationStage
from runbooks.actions.operations import (
    BadPlanError,
    GateClosedError,
    ListChangedError,
    NotPlannedError,
    StagePlan,
    WrongStatusError,
    change_stop_rule,
    draft_stage,
    plan_stages,
    request_approval,
)
from runbooks.actions.queries.stages import stages_now
from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.affected_accounts.operations import change_state
from runbooks.directory.models import Account
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.actions.acting import RESTRICT, done, drafted, previewed
from tests.factories import make_account, make_affected, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
Selector, Status = RestorationStage.Selector, Action.Status
REST = StagePlan("Everybody left", Selector.REST)


@pytest.fixture
def room(asker: User, approver: User) -> Incident:
    return make_incident(lead=approver, members=(asker,), is_exercise=True)


@pytest.fixture
def people() -> list[Account]:
    """Six of the Library, two of the Commons Members."""
    return [make_account(department="Library" if number < 6 else "Commons Members") for number in range(8)]


def for_everyone() -> dict[str, Any]:
    return {"everyone": True, "expected_harm": "No email outside", "review_at": timezone.now() + timedelta(hours=4)}


def lock_down(room: Incident, asker: User) -> Action:
    return drafted(room, asker, RESTRICT, **for_everyone())


def planned(action: Action, by: User, *stages: StagePlan) -> list[RestorationStage]:
    return plan_stages(action_id=action.pk, stages=stages, actor=actor_for(by), at=timezone.now())


def stage_draft(stage: RestorationStage, by: User) -> Action:
    return previewed(draft_stage(stage_id=stage.pk, reason="Quiet since noon", actor=actor_for(by), at=timezone.now()))


def logins(action: Action) -> set[str]:
    return set(action.accounts.values_list("login", flat=True))


def set_state(row: AffectedAccount, after: State, by: User) -> None:
    change_state(
        incident_id=row.incident_id, account_ids=[row.pk], after=after, reason="Seen", actor=actor_for(by),
        at=timezone.now(),
    )  # fmt: skip


def test_a_lock_down_is_drafted_with_a_way_back(room: Incident, people: list[Account], asker: User) -> None:
    action = lock_down(room, asker)
    stages = list(action.stages.order_by("position").values_list("title", "selector", "names", "size"))
    assert stages == [
        ("Pilot", "named", [], 25),
        ("Those with two-step sign-in", "second_factor", [], None),
        ("Members", "departments", ["Commons Members"], None),
        ("Everybody left", "rest", [], None),
    ]


def test_what_is_for_some_accounts_only_has_no_stages(room: Incident, people: list[Account], asker: User) -> None:
    action = drafted(room, asker, RESTRICT, [make_affected(room, people[0])])
    assert not action.stages.exists()
    with pytest.raises(BadPlanError):
        planned(action, asker, REST)


def test_without_stages_nobody_is_asked_for_a_lock_down(room: Incident, people: list[Account], asker: User) -> None:
    action = lock_down(room, asker)
    action.stages.all().delete()
    with pytest.raises(NotPlannedError):
        request_approval(action_id=action.pk, actor=actor_for(asker), at=timezone.now())


def test_stages_give_everybody_back_once_and_the_lock_down_is_rolled_back(
    room: Incident, people: list[Account], asker: User, approver: User
) -> None:
    action = lock_down(room, asker)
    two_step = make_affected(room, people[3], state=State.RESTORED, mfa_bound_at=timezone.now())
    pilot, second, third, rest = planned(
        action,
        asker,
        StagePlan("Pilot", Selector.NAMED, [people[0].login.upper()], size=25),
        StagePlan("Two-step", Selector.SECOND_FACTOR, [people[0].login, people[1].login]),
        StagePlan("Members", Selector.DEPARTMENTS, ["commons members"], size=1),
        REST,
    )
    action = done(action, asker, approver)
    wanted = (
        (pilot, {people[0].login}),
        (second, {people[1].login, two_step.login}),
        (third, {min(people[6].login, people[7].login)}),
        (rest, {person.login for person in people} - {people[n].login for n in (0, 1, 3)} - {people[6].login}),
    )
    for stage, expected in wanted:
        back = stage_draft(stage, asker)
        assert logins(back) == expected
        assert (back.undoes_id, back.stage_id, back.needs_approval) == (action.pk, stage.pk, True)
        assert done(back, asker, approver).status == Status.DONE
    action.refresh_from_db()
    assert action.status == Status.ROLLED_BACK
    assert [now.restored for now in stages_now(action)] == [1, 2, 1, 4]


def test_a_stage_waits_for_the_one_before(room: Incident, people: list[Account], asker: User, approver: User) -> None:
    action = lock_down(room, asker)
    pilot, rest = planned(action, asker, StagePlan("Pilot", Selector.NAMED, [people[0].login]), REST)
    with pytest.raises(WrongStatusError):
        stage_draft(pilot, asker)
    done(action, asker, approver)
    with pytest.raises(GateClosedError, match="Waits for stage 1, “Pilot”"):
        stage_draft(rest, asker)
    stage_draft(pilot, asker)
    with pytest.raises(GateClosedError, match="is not over"):
        stage_draft(pilot, asker)


def test_who_is_not_cleared_is_held_back_with_the_reason(
    room: Incident, people: list[Account], asker: User, approver: User
) -> None:
    now = timezone.now()
    states = {
        State.COMPROMISED: {"tier": "A"}, State.CLEARED: {"tier": "A"}, State.TARGETED: {"tier": "C"},
        State.RESTORED_RESTRICTED: {"tier": "A"}, State.HOLDER_CONFIRMED: {"mfa_bound_at": now},
    }  # fmt: skip
    for person, (state, changes) in zip(people, states.items(), strict=False):
        make_affected(room, person, state=state, **changes)
    make_affected(room, people[5], state=State.CLEARED, mfa_bound_at=now)
    action = lock_down(room, asker)
    (rest,) = planned(action, asker, REST)
    done(action, asker, approver)
    back = stage_draft(rest, asker)
    assert dict(back.exclusions.values_list("login", "reason")) == {
        people[0].login: "Confirmed, not yet cleared",
        people[1].login: "Cleared, two-step sign-in not yet set up",
        people[4].login: "Reset confirmed, not yet cleared",
    }
    assert set(back.exclusions.values_list("kind", flat=True)) == {ActionExclusion.Kind.GATE}
    assert logins(back) == {people[n].login for n in (2, 3, 5, 6, 7)}


def test_harm_seen_between_the_draft_and_the_request_closes_the_gate_again(
    room: Incident, people: list[Account], asker: User, approver: User
) -> None:
    row = make_affected(room, people[0], state=State.TARGETED, tier="C")
    action = lock_down(room, asker)
    (rest,) = planned(action, asker, REST)
    done(action, asker, approver)
    back = stage_draft(rest, asker)
    set_state(row, State.SUSPECTED, asker)
    with pytest.raises(ListChangedError, match=f"{row.login} may not come back yet"):
        request_approval(action_id=back.pk, actor=actor_for(asker), at=timezone.now())


def test_too_many_harmed_again_stop_the_next_stage_with_the_numbers_until_somebody_says_why_not(
    room: Incident, people: list[Account], asker: User, approver: User
) -> None:
    rows = [make_affected(room, person, state=State.RESTORED, tier="A") for person in people[:2]]
    action = lock_down(room, asker)
    first, rest = planned(
        action, asker, StagePlan("First", Selector.NAMED, [row.login for row in rows], stop_after=1), REST
    )
    done(action, asker, approver)
    done(stage_draft(first, asker), asker, approver)
    set_state(rows[0], State.SUSPECTED, asker)
    assert [now.problem for now in stages_now(action)][1] == ""
    set_state(rows[1], State.COMPROMISED, asker)
    stopped = "2 accounts of earlier stages were seen harmed since, 1 allowed after “First”"
    with pytest.raises(GateClosedError, match=stopped):
        stage_draft(rest, asker)
    change_stop_rule(
        stage_id=first.pk, stop_after=2, reason="Both by a stolen phone", actor=actor_for(asker), at=timezone.now()
    )
    assert stage_draft(rest, asker).accounts.count() == 6
    said = TimelineEvent.objects.get(incident=room, kind="action.stop_rule_changed").summary
    assert "from 1 to 2 accounts seen harmed. Both by a stolen phone" in said


def test_the_plan_stands_once_a_stage_has_begun(
    room: Incident, people: list[Account], asker: User, approver: User
) -> None:
    action = lock_down(room, asker)
    pilot, _ = planned(action, asker, StagePlan("Pilot", Selector.NAMED, [people[0].login]), REST)
    done(action, asker, approver)
    back = stage_draft(pilot, asker)
    with pytest.raises(WrongStatusError, match="Withdraw it first"):
        planned(action, asker, REST)
    done(back, asker, approver)
    with pytest.raises(WrongStatusError, match="the plan stands"):
        planned(action, asker, REST)


@pytest.mark.parametrize(
    "stages",
    [
        [],
        [StagePlan("Pilot", Selector.NAMED, ["nobody@parliament.example"]), REST],
        [StagePlan("Pilot", Selector.DEPARTMENTS, ["No such office"]), REST],
        [StagePlan("Everybody", Selector.REST, size=5)],
        [StagePlan("Pilot", Selector.SECOND_FACTOR)],
        [StagePlan(" ", Selector.REST)],
        [StagePlan("Pilot", "moon"), REST],
        [StagePlan("Pilot", Selector.SECOND_FACTOR, size=0), REST],
        [StagePlan("Pilot", Selector.SECOND_FACTOR, stop_after=-1), REST],
        [REST] * 21,
    ],
)
def test_a_plan_that_leaves_somebody_out_or_names_a_stranger_is_refused(
    stages: list[StagePlan], room: Incident, people: list[Account], asker: User
) -> None:
    action = lock_down(room, asker)
    before = list(action.stages.values_list("title", flat=True))
    with pytest.raises(BadPlanError):
        planned(action, asker, *stages)
    assert list(action.stages.values_list("title", flat=True)) == before


def test_a_new_plan_takes_back_what_a_second_person_is_asked(
    room: Incident, people: list[Account], asker: User, approver: User
) -> None:
    action = lock_down(room, asker)
    request_approval(action_id=action.pk, actor=actor_for(asker), at=timezone.now())
    planned(action, approver, REST)
    action.refresh_from_db()
    assert (action.status, action.digest) == (Status.DRAFT, "")
    assert approver.pk in action.authors


def test_outsiders_and_readers_plan_and_draft_nothing(
    room: Incident, people: list[Account], asker: User, outsider: User, auditor: User
) -> None:
    action = lock_down(room, asker)
    stage = action.stages.get(position=1)
    room.memberships.create(user=auditor, added_by="a test", added_at=timezone.now())
    for user, error in ((outsider, NotFoundError), (auditor, NotAllowedError)):
        with pytest.raises(error):
            planned(action, user, REST)
        with pytest.raises(error):
            stage_draft(stage, user)
        with pytest.raises(error):
            change_stop_rule(stage_id=stage.pk, stop_after=9, reason="x", actor=actor_for(user), at=timezone.now())


def test_the_queries_of_the_plan_do_not_grow(
    room: Incident, asker: User, approver: User, django_assert_num_queries: Any
) -> None:
    for size in (3, 30):
        for _ in range(size):
            make_account()
        action = lock_down(room, asker)
        planned(action, asker, REST)
        done(action, asker, approver)
        with django_assert_num_queries(8):
            stages_now(action)

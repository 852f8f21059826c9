"""Attacks on the way back: a rollback puts back what was there, for whom it was, and nothing that others decided."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionAccount, ActionExclusion
from runbooks.actions.operations import (
    cancel_rest,
    draft_rollback,
    pause,
    receive_answer,
    resume,
    settle,
    withdraw,
)
from runbooks.actions.operations.deciding import ListChangedError
from runbooks.actions.operations.running import run
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.connectors.base import AccountRef, AccountState, ActionResult, Outcome
from runbooks.directory.models import Protection
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from tests.actions.acting import Clock, approved, carried_out, done, drafted, previewed, requested, statuses
from tests.actions.rogue import Rogue, rogue_connection
from tests.factories import make_affected, make_incident

pytestmark = pytest.mark.django_db
UNLOCK = Action.Kind.UNLOCK_ACCOUNT


@pytest.fixture
def rogue(settings: Any) -> Iterator[Rogue]:
    with rogue_connection(settings) as made:
        yield made


@pytest.fixture
def incident(asker: User, approver: User) -> Incident:
    return make_incident(lead=approver, members=(asker,), is_exercise=True)


@pytest.fixture
def accounts(incident: Incident) -> list[AffectedAccount]:
    return [make_affected(incident, tier="A", state="compromised") for _ in range(4)]


@pytest.fixture
def locked(rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User) -> Action:
    return done(drafted(incident, asker, accounts=accounts), asker, approver)


def rolled_back(action: Action, by: User, row_ids: Any = None) -> Action:
    return previewed(
        draft_rollback(action_id=action.pk, reason="Wrong", row_ids=row_ids, actor=actor_for(by), at=timezone.now())
    )


@pytest.mark.parametrize("how", ["withdrawn", "paused before it began"])
def test_what_never_began_has_nothing_to_put_back(
    how: str, rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    action = drafted(incident, asker, accounts=accounts)
    if how == "withdrawn":
        withdraw(action_id=action.pk, actor=actor_for(asker), at=timezone.now())
    else:
        approved(requested(action, asker), approver)
        pause(action_id=action.pk, actor=actor_for(asker), at=timezone.now())
    with pytest.raises(DomainError, match="nothing to put back"):
        rolled_back(action, asker)


def test_a_rollback_of_a_paused_run_does_not_end_the_run(
    rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    rogue.batch_size = 2
    action = approved(requested(drafted(incident, asker, accounts=accounts), asker), approver)

    def stop(asked: object) -> None:
        pause(action_id=action.pk, actor=actor_for(asker), at=timezone.now())

    rogue.on_act = stop
    carried_out(action)
    assert statuses(action) == {"done": 2, "waiting": 2}
    rogue.on_act = lambda asked: None
    back = approved(requested(rolled_back(action, asker), asker), approver)
    resume(action_id=action.pk, actor=actor_for(asker), at=timezone.now())
    carried_out(back)
    action.refresh_from_db()
    assert action.status == Action.Status.RUNNING
    carried_out(action)
    assert statuses(action) == {"done": 4}
    assert action.status == Action.Status.DONE


def test_a_rollback_that_was_cancelled_counts_for_whom_it_reached(
    locked: Action, rogue: Rogue, asker: User, approver: User
) -> None:
    rogue.batch_size = 2
    back = approved(requested(rolled_back(locked, asker), asker), approver)

    def stop(asked: object) -> None:
        pause(action_id=back.pk, actor=actor_for(asker), at=timezone.now())

    rogue.on_act = stop
    carried_out(back)
    cancel_rest(action_id=back.pk, actor=actor_for(asker), at=timezone.now())
    assert locked.accounts.filter(undone_at__isnull=False).count() == 2
    again = rolled_back(locked, asker)
    assert again.accounts.count() == 2


def test_what_somebody_locked_again_meanwhile_is_not_unlocked_by_an_older_request(
    locked: Action, rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    back = requested(rolled_back(locked, asker), asker)
    done(drafted(incident, asker, accounts=accounts[:1], reason="Seen again"), asker, approver)
    assert approved(back, approver).status == Action.Status.DRAFT
    with pytest.raises(ListChangedError, match="later action"):
        requested(back, asker)


def test_what_was_put_back_already_is_not_put_back_by_an_older_request(
    locked: Action, rogue: Rogue, asker: User, approver: User
) -> None:
    back = requested(rolled_back(locked, asker), asker)
    locked.accounts.update(undone_at=timezone.now())
    assert approved(back, approver).status == Action.Status.DRAFT


def test_a_rollback_of_a_rollback_puts_back_what_that_one_found(
    locked: Action, rogue: Rogue, asker: User, approver: User
) -> None:
    back = done(rolled_back(locked, asker), asker, approver)
    assert not rogue.locked
    forth = rolled_back(back, asker)
    assert forth.kind == Action.Kind.LOCK_ACCOUNT
    assert forth.needs_approval
    done(forth, asker, approver)
    assert rogue.locked == {row.login for row in locked.accounts.all()}


def test_rolling_back_an_unlocking_leaves_protected_accounts_alone(
    rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    rogue.locked |= {account.login for account in accounts}
    opened = done(drafted(incident, asker, kind=UNLOCK, accounts=accounts), asker, approver)
    Protection.objects.create(
        account=accounts[0].account, kind="break_glass", reason="The last key", added_by="x", added_at=timezone.now()
    )
    back = rolled_back(opened, asker)
    assert back.accounts.count() == 3
    assert back.exclusions.get().kind == ActionExclusion.Kind.BREAK_GLASS


def test_an_exercise_says_nothing_about_a_real_incident(
    locked: Action, rogue: Rogue, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    other = make_incident(lead=approver, members=(asker,), is_exercise=True)
    same = [make_affected(other, account.account) for account in accounts]
    done(drafted(other, asker, accounts=same), asker, approver)
    back = rolled_back(locked, asker)
    assert back.accounts.count() == 4
    assert not back.exclusions.exists()


def test_two_incidents_of_the_real_world_do_know_of_each_other(rogue: Rogue, asker: User, approver: User) -> None:
    rogue.is_simulated = False
    first, second = (make_incident(lead=approver, members=(asker,)) for _ in range(2))
    one = make_affected(first)
    locked = done(drafted(first, asker, accounts=[one]), asker, approver)
    done(drafted(second, asker, accounts=[make_affected(second, one.account)]), asker, approver)
    assert rolled_back(locked, asker).exclusions.get().kind == ActionExclusion.Kind.LATER


def test_whose_login_changed_is_put_back_by_the_new_one(
    locked: Action, rogue: Rogue, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    account = accounts[0].account
    old, account.login, account.external_id = account.login, "married@parliament.example", "id-1"
    account.save()
    locked.accounts.filter(account=account).update(external_id="id-1")
    back = rolled_back(locked, asker)
    assert {old, account.login} & {row.login for row in back.accounts.all()} == {account.login}
    assert done(back, asker, approver).status == Action.Status.DONE


def test_who_has_somebodys_login_now_gets_nothing_of_theirs(
    locked: Action, rogue: Rogue, accounts: list[AffectedAccount], asker: User
) -> None:
    account = accounts[0].account
    locked.accounts.filter(account=account).update(external_id="who-left")
    account.external_id = "who-came"
    account.save()
    back = rolled_back(locked, asker)
    assert account.login not in {row.login for row in back.accounts.all()}
    assert "another" in back.exclusions.get(account=account).reason


def test_before_values_that_came_with_the_answer_are_kept(
    rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    """As of a webhook that reads nothing and tells what it found."""
    rogue.states = lambda states: [AccountState(one.account, problem="Cannot be read.") for one in states]
    rogue.before = {"lock": ["on"]}
    action = done(drafted(incident, asker, accounts=accounts), asker, approver)
    assert {str(row.before) for row in action.accounts.all()} == {"{'lock': ['on']}"}
    assert rolled_back(action, asker).accounts.count() == 4


# Answers of people and of systems that call back


def test_an_answer_that_is_faster_than_the_promise_of_it_counts(
    rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    action = approved(requested(drafted(incident, asker, accounts=accounts), asker), approver)
    rogue.outcome = Outcome.PENDING

    def answer(asked: Any) -> None:
        results = [ActionResult(one, Outcome.OK) for one in asked]
        receive_answer(connection="directory", key=f"{action.pk}.x", results=results, at=timezone.now())

    rogue.on_act = answer
    clock = Clock()
    run(action_id=action.pk, clock=clock, patience=clock.sleep)
    action.refresh_from_db()
    assert statuses(action) == {"done": 4}
    assert action.status == Action.Status.DONE


def test_what_was_handed_over_before_it_was_cancelled_can_still_be_told(
    rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    action = approved(requested(drafted(incident, asker, accounts=accounts), asker), approver)
    rogue.outcome = Outcome.PENDING
    carried_out(action)
    cancel_rest(action_id=action.pk, actor=actor_for(asker), at=timezone.now())
    assert "in hand" in action.accounts.order_by("position").first().message  # type: ignore[union-attr]
    results = [ActionResult(AccountRef(one.login), Outcome.OK) for one in accounts]
    assert receive_answer(connection="directory", key=f"{action.pk}.x", results=results, at=timezone.now()) == 4
    assert statuses(action) == {"done": 4}
    assert rolled_back(action, asker).accounts.count() == 4


def test_what_was_never_sent_is_answered_by_nobody(
    rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User
) -> None:
    action = drafted(incident, asker, accounts=accounts)
    withdraw(action_id=action.pk, actor=actor_for(asker), at=timezone.now())
    results = [ActionResult(AccountRef(one.login), Outcome.OK) for one in accounts]
    assert receive_answer(connection="directory", key=f"{action.pk}.x", results=results, at=timezone.now()) == 0
    assert statuses(action) == {"waiting": 4}


def test_a_connection_that_is_gone_from_the_settings_keeps_nobody_from_settling(
    rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User, settings: Any
) -> None:
    action = approved(requested(drafted(incident, asker, accounts=accounts), asker), approver)
    rogue.outcome = Outcome.PENDING
    carried_out(action)
    settings.CONNECTIONS = {}
    settle(
        action_id=action.pk, row_ids=list(action.accounts.values_list("pk", flat=True)), status="done",
        evidence="Seen", happened_at=timezone.now(), actor=actor_for(asker), at=timezone.now(),
    )  # fmt: skip
    action.refresh_from_db()
    assert action.status == Action.Status.DONE


def test_settling_an_account_of_a_finished_rollback_by_hand_tells_the_first_action(
    locked: Action, rogue: Rogue, asker: User, approver: User
) -> None:
    back = approved(requested(rolled_back(locked, asker), asker), approver)
    carried_out(back)
    row = back.accounts.order_by("position").first()
    assert row is not None
    ActionAccount.objects.filter(pk=row.pk).update(status="unknown")
    locked.accounts.filter(account=row.account).update(undone_at=None)
    settle(
        action_id=back.pk, row_ids=[row.pk], status="done", evidence="Seen", happened_at=timezone.now(),
        actor=actor_for(asker), at=timezone.now(),
    )  # fmt: skip
    assert locked.accounts.get(account=row.account).undone_at is not None

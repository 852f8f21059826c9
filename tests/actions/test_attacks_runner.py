"""What a connector that misbehaves, a worker that dies and people who interfere do to a run: never the wrong thing."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations import (
    cancel_rest,
    pause,
    resolve_anew,
    resume,
    sweeping,
)
from runbooks.actions.operations.running import run
from runbooks.actions.operations.verifying import verify
from runbooks.actions.tasks import preview as preview_task
from runbooks.actions.tasks import run as run_task
from runbooks.actions.tasks import verify as verify_task
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.connectors.base import AccountState, ConnectorError, failure
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.actions.acting import Clock, approved, drafted, requested, statuses
from tests.actions.rogue import Rogue, rogue_connection
from tests.factories import make_affected, make_incident

pytestmark = pytest.mark.django_db


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
def ready(rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User) -> Action:
    return approved(requested(drafted(incident, asker, accounts=accounts), asker), approver)


def now(action: Action) -> Action:
    action.refresh_from_db()
    return action


def go(action: Action, clock: Clock | None = None) -> Action:
    clock = clock or Clock()
    run(action_id=action.pk, clock=clock, patience=clock.sleep)
    return now(action)


def entries(action: Action, kind: str) -> int:
    return TimelineEvent.objects.filter(incident=action.incident, kind=f"action.{kind}").count()


def fail(error: Exception) -> Any:
    def raising(*given: object) -> None:
        raise error

    return raising


# A connector that breaks its word


def test_an_error_nobody_foresaw_pauses_the_run_and_says_so(ready: Action, rogue: Rogue) -> None:
    rogue.on_act = fail(TypeError("'NoneType' object is not subscriptable"))
    run_task(str(ready.pk))
    assert now(ready).status == Action.Status.PAUSED
    assert "unexpected" in ready.paused_because
    assert "NoneType" not in ready.paused_because
    assert entries(ready, "paused") == 1


def test_what_was_being_sent_then_is_looked_at_before_it_is_sent_again(
    ready: Action, rogue: Rogue, approver: User
) -> None:
    rogue.answers = fail(KeyError("login"))
    run_task(str(ready.pk))
    assert now(ready).status == Action.Status.PAUSED
    rogue.answers = lambda results: results
    resume(action_id=ready.pk, actor=actor_for(approver), at=timezone.now())
    assert statuses(go(ready)) == {"done": 4}
    assert len(rogue.acted_on) == 4, "sent once"


@pytest.mark.parametrize(
    "answers",
    [
        lambda results: results[:-1],
        lambda results: [*results, results[0]],
        lambda results: list(reversed(results)),
        lambda results: [results[0]] * len(results),
        lambda results: [],
        lambda results: None,
    ],
    ids=["fewer", "more", "out of order", "one for all", "none", "nothing"],
)
def test_answers_about_others_are_taken_for_nobody(ready: Action, rogue: Rogue, answers: Any) -> None:
    rogue.answers = answers
    run_task(str(ready.pk))
    assert now(ready).status == Action.Status.PAUSED
    assert statuses(ready) == {"sending": 4}, "nobody knows"


def test_readings_of_others_are_no_before_values(ready: Action, rogue: Rogue) -> None:
    rogue.states = lambda states: list(reversed(states))
    run_task(str(ready.pk))
    assert now(ready).status == Action.Status.PAUSED
    assert statuses(ready) == {"waiting": 4}
    assert not rogue.acted_on


def test_a_preview_that_breaks_is_over_and_says_so(
    rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User
) -> None:
    action = drafted(incident, asker, accounts=accounts)
    action.previewed_at = None
    action.save()
    rogue.on_read = fail(TypeError("boom"))
    preview_task(str(action.pk))
    assert now(action).previewed_at is not None
    assert "unexpected" in action.preview_problem


def test_a_read_back_that_breaks_is_tried_later_and_said_once(ready: Action, rogue: Rogue) -> None:
    clock = Clock()
    run(action_id=ready.pk, clock=clock, patience=clock.sleep)
    rogue.on_read = fail(TypeError("boom"))
    for _ in range(3):
        Action.objects.filter(pk=ready.pk).update(verify_at=timezone.now())
        verify_task(str(ready.pk))
        again_at = now(ready).verify_at
        assert again_at is not None
        assert again_at > timezone.now()
    assert entries(ready, "not_verified") == 1


def test_a_system_that_cannot_be_read_for_a_night_is_one_entry(ready: Action, rogue: Rogue) -> None:
    clock = Clock()
    run(action_id=ready.pk, clock=clock, patience=clock.sleep)
    rogue.on_read = fail(ConnectorError("No answer.", permanent=False))
    for _ in range(5):
        clock.sleep(400)
        verify(action_id=ready.pk, clock=clock)
    assert entries(ready, "not_verified") == 1
    rogue.on_read = lambda accounts: None
    clock.sleep(400)
    verify(action_id=ready.pk, clock=clock)
    rogue.on_read = fail(ConnectorError("No answer.", permanent=False))
    clock.sleep(100_000)
    verify(action_id=ready.pk, clock=clock)
    assert entries(ready, "not_verified") == 2


def test_throttling_of_whole_batches_is_no_try_of_an_account(ready: Action, rogue: Rogue) -> None:
    refusals = iter([True] * 5 + [False] * 100)

    def refuse(accounts: object) -> None:
        if next(refusals):
            raise ConnectorError("Later.", permanent=False, retry_after=1)

    rogue.on_act = refuse
    first = iter([True])
    rogue.answers = lambda results: [
        failure(one.account, "Busy.", permanent=False, retry_after=1) if next(first, False) else one for one in results
    ]
    assert statuses(go(ready)) == {"done": 4}


def test_a_system_in_which_everything_fails_is_stopped_in_small_batches_too(
    rogue: Rogue, incident: Incident, asker: User, approver: User
) -> None:
    rogue.batch_size = 2
    rogue.answers = lambda results: [failure(one.account, "No such entry.", permanent=True) for one in results]
    accounts = [make_affected(incident) for _ in range(20)]
    action = approved(requested(drafted(incident, asker, accounts=accounts, stop_after_failures=5), asker), approver)
    assert go(action).status == Action.Status.PAUSED
    assert statuses(action)["failed"] < 9


ODD = "No \0 entry\r\n\ud800 <b>\u202e"


def test_whatever_a_system_writes_can_be_kept(ready: Action, rogue: Rogue) -> None:
    rogue.answers = lambda results: [failure(one.account, ODD, permanent=True) for one in results]
    run_task(str(ready.pk))
    assert statuses(now(ready)) == {"failed": 4}
    assert {row.message for row in ready.accounts.all()} == {"No   entry    <b>"}


def test_whatever_a_system_refuses_with_can_be_kept(
    ready: Action, rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User
) -> None:
    rogue.on_read = fail(ConnectorError(ODD, permanent=True))
    run_task(str(ready.pk))
    assert "refused: No   entry" in now(ready).paused_because
    assert "No   entry" in drafted(incident, asker, accounts=accounts).preview_problem
    rogue.on_read = lambda asked: None
    rogue.states = lambda states: [AccountState(one.account, problem=ODD) for one in states]
    assert drafted(incident, asker, accounts=accounts).previewed_at is not None


def test_a_list_that_changes_while_it_is_previewed_is_read_again(
    rogue: Rogue, incident: Incident, accounts: list[AffectedAccount], asker: User
) -> None:
    action = drafted(incident, asker, accounts=accounts)
    resolve_anew(action_id=action.pk, actor=actor_for(asker), at=timezone.now())

    def change(asked: object) -> None:
        rogue.on_read = lambda again: None
        resolve_anew(action_id=action.pk, actor=actor_for(asker), at=timezone.now())

    rogue.on_read = change
    preview_task(str(action.pk))
    assert now(action).previewed_at is None
    preview_task(str(action.pk))
    assert now(action).previewed_at is not None
    assert not action.accounts.filter(was_so__isnull=True).exists()


# People and clocks in between


def test_pausing_while_the_system_refuses_leaves_nobody_being_sent(ready: Action, rogue: Rogue, approver: User) -> None:
    def refuse(accounts: object) -> None:
        pause(action_id=ready.pk, actor=actor_for(approver), at=timezone.now())
        raise ConnectorError("Later.", permanent=False, retry_after=1)

    rogue.on_act = refuse
    assert go(ready).status == Action.Status.PAUSED
    assert statuses(ready) == {"waiting": 4}


def test_cancelling_what_is_being_sent_ends_in_not_known_whatever_the_worker_says(
    ready: Action, rogue: Rogue, approver: User
) -> None:

    def cancel(accounts: object) -> None:
        cancel_rest(action_id=ready.pk, actor=actor_for(approver), at=timezone.now())

    rogue.on_act = cancel
    assert go(ready).status == Action.Status.CANCELLED
    assert statuses(ready) == {"unknown": 4}


def test_what_was_approved_and_did_not_begin_in_time_does_not_begin(ready: Action, rogue: Rogue) -> None:
    clock = Clock()
    clock.sleep(3 * 24 * 3600)
    assert go(ready, clock).status == Action.Status.DRAFT
    assert not rogue.acted_on
    assert ready.approved_by is None


def test_what_was_paused_before_it_began_is_checked_like_any_start(ready: Action, rogue: Rogue, approver: User) -> None:
    pause(action_id=ready.pk, actor=actor_for(approver), at=timezone.now())
    resume(action_id=ready.pk, actor=actor_for(approver), at=timezone.now())
    Action.objects.filter(pk=ready.pk).update(reason="Another reason, written into the table")
    assert go(ready).status == Action.Status.DRAFT
    assert not rogue.acted_on


def test_a_closed_incident_stops_its_runs_and_reopening_does_not_start_them_again(
    ready: Action, rogue: Rogue, incident: Incident, approver: User
) -> None:
    rogue.batch_size = 1

    def close(accounts: object) -> None:
        Incident.objects.filter(pk=incident.pk).update(status=Incident.Status.CLOSED)

    rogue.on_act = close
    go(ready)
    assert len(rogue.acted_on) == 1
    go(ready)
    assert now(ready).status == Action.Status.PAUSED
    Incident.objects.filter(pk=incident.pk).update(status=Incident.Status.OPEN)
    go(ready)
    assert len(rogue.acted_on) == 1


def test_the_clock_going_backwards_repeats_nothing(ready: Action, rogue: Rogue) -> None:
    clock = Clock()
    rogue.batch_size = 1
    rogue.on_act = lambda accounts: clock.sleep(-3600)
    go(ready, clock)
    clock.ahead = timedelta(days=1)
    go(ready, clock)
    assert [one.login for one in rogue.acted_on] == [row.login for row in ready.accounts.order_by("position")]


# Whose account it is


@pytest.mark.parametrize("changes", [{"login": "new@parliament.example"}, {"external_id": "somebody-else"}])
def test_who_was_renamed_or_replaced_since_is_not_touched(
    ready: Action, rogue: Rogue, accounts: list[AffectedAccount], changes: dict[str, str]
) -> None:
    account = accounts[0].account
    for name, value in changes.items():
        setattr(account, name, value)
    account.save()
    go(ready)
    row = ready.accounts.get(account=account)
    assert row.status == ActionAccount.Status.FAILED
    assert "since" in row.message
    assert row.login not in {one.login for one in rogue.acted_on}
    assert statuses(ready) == {"done": 3, "failed": 1}


# The sweep


def test_what_nobody_can_work_on_does_not_keep_others_from_the_sweep(
    rogue: Rogue, accounts: list[AffectedAccount], asker: User, approver: User, incident: Incident, monkeypatch: Any
) -> None:
    woken: list[tuple[str, str]] = []
    monkeypatch.setattr(sweeping, "wake", lambda task, action_id: woken.append((task, action_id)))
    old = make_incident(lead=approver, members=(asker,), is_exercise=True)
    over = [drafted(old, asker, accounts=[make_affected(old)]) for _ in range(4)]
    for action, status in zip(over, ["draft", "running", "done", "paused"], strict=True):
        Action.objects.filter(pk=action.pk).update(
            status=status, previewed_at=None, verify_at=timezone.now(), approved_by=approver, requested_by=asker
        )
    Incident.objects.filter(pk=old.pk).update(status=Incident.Status.CLOSED)
    Action.objects.filter(pk=over[3].pk).update(incident=incident, number=77)
    sweeping.sweep(at=timezone.now())
    assert [task for task, action_id in woken if action_id in {str(over[k].pk) for k in (0, 2, 3)}] == []


# The door between exercises and the world


@pytest.mark.parametrize("is_exercise", [True, False])
def test_a_connection_that_turned_real_or_simulated_since_the_approval_reaches_nobody(
    is_exercise: bool, rogue: Rogue, asker: User, approver: User
) -> None:
    rogue.is_simulated = is_exercise
    room = make_incident(lead=approver, members=(asker,), is_exercise=is_exercise)
    accounts = [make_affected(room)]
    action = approved(requested(drafted(room, asker, accounts=accounts), asker), approver)
    other = drafted(room, asker, accounts=accounts)
    reads, rogue.is_simulated = rogue.reads, not is_exercise
    assert go(action).status == Action.Status.PAUSED
    assert ("An exercise takes a simulated" if is_exercise else "would contain nobody") in action.paused_because
    Action.objects.filter(pk=other.pk).update(previewed_at=None)
    preview_task(str(other.pk))
    assert now(other).preview_problem
    with pytest.raises(DomainError):
        drafted(room, asker, accounts=accounts)
    assert (rogue.reads, rogue.acted_on) == (reads, [])

"""The way back from a lock-down in stages: planned, then drafted one by one, each approved by two like any action."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor
from runbooks.actions.models import Action, ActionAccount, ActionExclusion, RestorationStage
from runbooks.actions.operations.drafting import BadActionError, new_action
from runbooks.actions.operations.locking import WrongStatusError, action_entry, lock_action, move, only_while
from runbooks.actions.operations.planning import (
    BadPlanError,
    StagePlan,
    checked_plan,
    plan_in_words,
    write_plan,
)
from runbooks.actions.operations.resolving import Left, Target
from runbooks.actions.operations.rolling_back import CannotUndoError, undoing, undoing_action, way_back
from runbooks.actions.queries.stages import CHANGED_LATER, OPEN, StageNow, has_stage_run, is_lock_down, stages_now
from runbooks.directory.models import Account
from runbooks.errors import NotFoundError
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import record

Status, Selector = Action.Status, RestorationStage.Selector
REASON_MAX = 1000


class GateClosedError(WrongStatusError):
    """The stage waits: for the one before, for accounts that are not cleared, or for the stop rule."""


@transaction.atomic
def plan_stages(
    *, action_id: UUID, stages: Sequence[StagePlan], actor: Actor, at: datetime, version: int | None = None
) -> list[RestorationStage]:
    """Say in which stages access comes back. The plan stands once the first of them has begun.

    A second person who is being asked decides on what they saw: a request that waits becomes a draft again.
    """
    incident, action = lock_action(action_id, actor, "request_action", version=version)
    if not is_lock_down(action):
        raise BadPlanError("Only a lock-down of everyone comes back in stages. Roll this action back instead.")
    if action.status == Status.ROLLED_BACK or (action.status == Status.CANCELLED and action.started_at is None):
        raise WrongStatusError(f"Action {action.number} is {action.get_status_display().lower()}: nothing comes back.")
    if has_stage_run(action):
        raise WrongStatusError("The first stage has begun, so the plan stands. Its stop rule can still be changed.")
    if open_ := Action.objects.filter(stage__lock_down=action, status__in=OPEN).first():
        raise WrongStatusError(f"Action {open_.number} carries out a stage of this plan. Withdraw it first.")
    plan = checked_plan(stages)
    _check_names(action, plan)
    write_plan(action, plan)
    _mark_changed(action, actor)
    said = f"way back planned: {plan_in_words(plan)}"
    details = {"stages": [_in_details(stage) for stage in plan]}
    record(incident, action_entry(action, "stages_planned", said, details, lane=Lane.DECISION), actor=actor, at=at)
    return list(RestorationStage.objects.filter(lock_down=action).order_by("position"))


@transaction.atomic
def change_stop_rule(*, stage_id: int, stop_after: int, reason: str, actor: Actor, at: datetime) -> RestorationStage:
    """Let the next stage go on although more accounts were seen harmed again, or stop it earlier: with a reason."""
    incident, action = lock_action(_lock_down_of(stage_id), actor, "request_action")
    stage = RestorationStage.objects.get(pk=stage_id)
    reason = reason.strip()[:REASON_MAX]
    if not reason:
        raise BadPlanError("Say why: auditors ask who let the way back go on.")
    if not 0 <= stop_after <= 100_000:
        raise BadPlanError("The stop rule is 0 or more accounts.")
    before, stage.stop_after = stage.stop_after, stop_after
    stage.save(update_fields=["stop_after"])
    said = f"stop rule of “{stage.title}” changed from {before} to {stop_after} accounts seen harmed. {reason}"
    details = {"stage": stage.position, "before": before, "after": stop_after, "reason": reason}
    record(incident, action_entry(action, "stop_rule_changed", said, details, lane=Lane.DECISION), actor=actor, at=at)
    return stage


def draft_stage(*, stage_id: int, reason: str, actor: Actor, at: datetime) -> Action:
    """A draft that gives back what the lock-down took from the stage's accounts, to be approved by two.

    Whom the gate holds back is excluded with the reason. Raises GateClosedError, with the numbers.
    """
    lock_down_id = _lock_down_of(stage_id)
    kind, capabilities = undoing(lock_down_id)
    return _draft_stage(
        lock_down_id=lock_down_id,
        stage_id=stage_id,
        kind=kind,
        most=capabilities.batch_size,
        reason=reason,
        actor=actor,
        at=at,
    )


@transaction.atomic
def _draft_stage(
    *, lock_down_id: UUID, stage_id: int, kind: str, most: int, reason: str, actor: Actor, at: datetime
) -> Action:
    incident, first = lock_action(lock_down_id, actor, "request_action")
    only_while(first, Status.PAUSED, Status.DONE, Status.DONE_WITH_FAILURES, Status.CANCELLED)
    if not kind:
        raise CannotUndoError(f"{first.connection} cannot give remote access back. Do it by people.")
    if not reason.strip():
        raise BadActionError("Say why this stage goes ahead now: the second person decides on it.")
    now = next((one for one in stages_now(first) if one.stage.pk == stage_id), None)
    if now is None:
        raise NotFoundError("There is no such stage.")
    if now.problem:
        raise GateClosedError(now.problem)
    targets, left = _list_of(first, now)
    action = undoing_action(first, kind, reason, most)
    action.stage = now.stage
    return new_action(incident, action, targets, left, actor=actor, at=at)


def _list_of(first: Action, now: StageNow) -> tuple[list[Target], list[Left]]:
    """The stage's accounts, and which are left alone: by its gate, or since a later action changed them."""
    targets, later = way_back(first, [*now.ready, *now.held])
    by_gate = {row_id: why for row_id, why in now.held.items() if why != CHANGED_LATER}
    rows = ActionAccount.objects.filter(pk__in=list(by_gate)).values_list("account_id", "login", "id")
    held = {
        account_id: Left(account_id, login, ActionExclusion.Kind.GATE, by_gate[row_id])
        for account_id, login, row_id in rows
    }
    return targets, [*held.values(), *(one for one in later if one.account_id not in held)]


def _lock_down_of(stage_id: int) -> UUID:
    found = RestorationStage.objects.filter(pk=stage_id).values_list("lock_down_id", flat=True).first()
    if found is None:
        raise NotFoundError("There is no such stage.")
    return found


def _check_names(action: Action, plan: Sequence[StagePlan]) -> None:
    """A name that is on no list would be missed silently. Two queries at most."""
    logins = {
        name for stage in plan if stage.selector in (Selector.NAMED, Selector.SECOND_FACTOR) for name in stage.names
    }
    if logins:
        rows = ActionAccount.objects.filter(action=action).values_list("login", flat=True)
        known = {login.lower() for login in rows}
        if strange := sorted(name for name in logins if name.lower() not in known):
            raise BadPlanError(f"Not in this lock-down: {_some(strange)}. Check the spelling; nothing was changed.")
    departments = {name for stage in plan if stage.selector == Selector.DEPARTMENTS for name in stage.names}
    if departments:
        of_all = Account.objects.exclude(department="").order_by().values_list("department", flat=True).distinct()
        known = {department.lower() for department in of_all}
        if strange := sorted(name for name in departments if name.lower() not in known):
            raise BadPlanError(f"No department is called {_some(strange)}. Write it as the directory does.")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _mark_changed(action: Action, actor: Actor) -> None:
    if action.status not in (Status.DRAFT, Status.AWAITING_APPROVAL):
        move(action)
        return
    authors = action.authors if actor.user_id in {None, *action.authors} else [*action.authors, actor.user_id]
    move(action, status=Status.DRAFT, digest="", requested_by=None, requested_at=None, expires_at=None, authors=authors)


def _in_details(stage: StagePlan) -> dict[str, object]:
    planned = stage.planned_at.isoformat() if stage.planned_at else None
    return {
        "title": stage.title,
        "selector": stage.selector,
        "names": len(stage.names),
        "size": stage.size,
        "planned_at": planned,
        "stop_after": stage.stop_after,
    }

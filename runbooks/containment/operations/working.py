"""The life of a step: started, completed, waived, reopened."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.models import User
from runbooks.access.permissions import Actor, can, require
from runbooks.affected_accounts.models import FactKind
from runbooks.containment.blocking import blockers, open_dependencies
from runbooks.containment.models import Evidence, Step
from runbooks.containment.operations.locking import (
    about_step,
    lock_step,
    refuse_closed,
    save_changed,
    step_entry,
    take_on,
)
from runbooks.containment.operations.refusals import (
    AccountsLeftError,
    BlockedStepError,
    EvidenceMissingError,
    NotYourStepError,
    StepOpenError,
    StepRunningError,
    checked_reason,
)
from runbooks.containment.progress import account_counts
from runbooks.incidents.operations import lock_running
from runbooks.notifications.operations import withdraw
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import record

Status = Step.Status


@transaction.atomic
def start(*, incident_id: UUID, key: str, actor: Actor, at: datetime) -> Step:
    """Begin a step; who starts one that nobody has, has it."""
    require(actor, "work_steps", incident_id)
    incident = lock_running(incident_id)
    step = lock_step(incident_id, key)
    refuse_closed(step)
    if step.status == Status.RUNNING:
        raise StepRunningError(f"Step {step.number} is in progress already.")
    _refuse_other_owner(step, actor)
    if waits_for := blockers(step, _dependencies(step)):
        raise BlockedStepError(step, waits_for)
    if step.owner_id is None and actor.user_id is not None:
        step.owner = User.objects.get(pk=actor.user_id)
    step.status, step.started_at = Status.RUNNING, step.started_at or at
    save_changed(step, "status", "started_at", "owner")
    details = {"owner": step.owner.username if step.owner else None}
    record(incident, step_entry(step, "started", "started", details), actor=actor, at=at)
    take_on(step, actor, at)
    return step


@transaction.atomic
def complete(
    *, incident_id: UUID, key: str, actor: Actor, at: datetime, reason: str = "", version: int | None = None
) -> Step:
    """Close a step as done: what it depends on is closed, its evidence is there, its accounts are through.

    `reason` is needed only while accounts are left, and says why the step is done without them.
    """
    require(actor, "work_steps", incident_id)
    incident = lock_running(incident_id)
    step = lock_step(incident_id, key, version)
    refuse_closed(step)
    _refuse_other_owner(step, actor)
    if waits_for := open_dependencies(step, _dependencies(step)):
        raise BlockedStepError(step, waits_for)
    if missing := _missing_evidence(step):
        raise EvidenceMissingError(step, missing)
    left, total, reason = _accounts_left(step, reason)
    step.status, step.closed_at, step.closed_by = Status.SUCCEEDED, at, actor.name
    save_changed(step, "status", "closed_at", "closed_by")
    details: dict[str, object] = {"reason": reason} if reason else {}
    if step.fact:
        details |= {"accounts_done": total - left, "accounts": total}
    said = f"completed without {left:,} of {total:,} accounts. {reason}" if left else "completed"
    lane = Lane.DECISION if left else Lane.ACTION
    record(incident, step_entry(step, "completed", said, details, lane=lane), actor=actor, at=at)
    withdraw(incident_id, about_step(step), at=at, because=f"step {step.number} is done")
    return step


@transaction.atomic
def waive(*, incident_id: UUID, key: str, reason: str, actor: Actor, at: datetime, version: int | None = None) -> Step:
    """Decide that a step is not needed here. What depends on it goes on."""
    require(actor, "waive_step", incident_id)
    incident = lock_running(incident_id)
    step = lock_step(incident_id, key, version)
    refuse_closed(step)
    reason = checked_reason(reason, "the step is not needed")
    step.status, step.closed_at, step.closed_by, step.waived_reason = Status.SKIPPED, at, actor.name, reason
    save_changed(step, "status", "closed_at", "closed_by", "waived_reason")
    entry = step_entry(step, "waived", f"waived. {reason}", {"reason": reason}, lane=Lane.DECISION)
    record(incident, entry, actor=actor, at=at)
    withdraw(incident_id, about_step(step), at=at, because=f"step {step.number} is waived")
    return step


@transaction.atomic
def reopen(*, incident_id: UUID, key: str, reason: str, actor: Actor, at: datetime, version: int | None = None) -> Step:
    """Take up a closed step again. It is where it was: in progress if it had been started, else not started."""
    require(actor, "reopen_step", incident_id)
    incident = lock_running(incident_id)
    step = lock_step(incident_id, key, version)
    if not step.is_closed:
        raise StepOpenError(f"Step {step.number} is open. There is nothing to reopen.")
    reason = checked_reason(reason, "the step is reopened")
    before = step.get_status_display().lower()
    step.status = Status.RUNNING if step.started_at else Status.PENDING
    step.closed_at, step.closed_by, step.waived_reason = None, "", ""
    save_changed(step, "status", "closed_at", "closed_by", "waived_reason")
    entry = step_entry(step, "reopened", f"reopened, it was {before}. {reason}", {"reason": reason}, lane=Lane.DECISION)
    record(incident, entry, actor=actor, at=at)
    withdraw(incident_id, about_step(step), at=at, because=f"step {step.number} was reopened")
    return step


def _dependencies(step: Step) -> dict[str, Step]:
    others = Step.objects.filter(incident_id=step.incident_id, key__in=step.depends_on).order_by("position")
    return {other.key: other for other in others}


def _refuse_other_owner(step: Step, actor: Actor) -> None:
    """A coordinator may act for somebody who is on the telephone; anybody else has the step given to them first."""
    if step.owner_id in {None, actor.user_id} or can(actor, "waive_step"):
        return
    raise NotYourStepError(f"{step.owner} has step {step.number}. Ask them, or have the step reassigned to you.")


def _missing_evidence(step: Step) -> list[str]:
    """Labels of the rules that nothing satisfies."""
    there = set(
        Evidence.objects.filter(step=step, withdrawn_at__isnull=True).values_list("requirement", flat=True).distinct()
    )
    return [rule["label"] for rule in step.evidence_required if rule["key"] not in there]


def _accounts_left(step: Step, reason: str) -> tuple[int, int, str]:
    """Accounts left, accounts in all, and the reason where some are left. Zeros for a step that no fact counts."""
    if not step.fact:
        return 0, 0, ""
    progress = account_counts(step.incident_id).progress(step.fact, step.tiers)
    if not progress.left:
        return 0, progress.total, ""
    if not reason.strip():
        raise AccountsLeftError(step, FactKind(step.fact).label, progress.left, progress.total)
    return progress.left, progress.total, checked_reason(reason, "the step is done")

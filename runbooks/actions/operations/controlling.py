"""Pausing, going on, trying failures again, leaving the rest alone. The list and what was approved stay the same."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations.finishing import BROKEN, mark_undone
from runbooks.actions.operations.locking import WrongStatusError, action_entry, lock_action, move, only_while, settled
from runbooks.background import wake
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import record

Status, RowStatus = Action.Status, ActionAccount.Status
HANDED_OVER = "Others had it in hand when the action was cancelled. Check that nobody did it all the same."


@transaction.atomic
def pause(*, action_id: UUID, reason: str = "", actor: Actor, at: datetime) -> Action:
    """Stop after what is being sent at this moment."""
    incident, action = lock_action(action_id, actor, "control_action")
    only_while(action, Status.APPROVED, Status.RUNNING)
    reason = reason.strip()[:400]
    move(action, status=Status.PAUSED, paused_because=reason or f"Paused by {actor}", not_before=None)
    said = "paused" + (f". {reason}" if reason else "")
    record(incident, action_entry(action, "paused", said, {"why": reason}, lane=Lane.DECISION), actor=actor, at=at)
    return action


@transaction.atomic
def resume(*, action_id: UUID, actor: Actor, at: datetime) -> Action:
    """Go on where it stopped."""
    incident, action = lock_action(action_id, actor, "control_action")
    only_while(action, Status.PAUSED)
    _go_on(action)
    record(incident, action_entry(action, "resumed", "resumed", lane=Lane.DECISION), actor=actor, at=at)
    settled(action, f"{actor} resumed it", at)
    return action


@transaction.atomic
def retry_failed(*, action_id: UUID, actor: Actor, at: datetime) -> Action:
    """Send those again that failed, and no others."""
    incident, action = lock_action(action_id, actor, "control_action")
    only_while(action, Status.RUNNING, Status.PAUSED, Status.DONE_WITH_FAILURES, Status.CANCELLED)
    failed = ActionAccount.objects.filter(action=action, status=RowStatus.FAILED)
    count = failed.update(status=RowStatus.WAITING, attempts=0, retry_at=None, message="")
    if not count:
        raise WrongStatusError("No account failed. Those of which nothing is known are settled by hand, one by one.")
    _go_on(action)
    said = f"{plural(count, 'failed account')} tried again"
    record(incident, action_entry(action, "retried", said, {"accounts": count}, lane=Lane.DECISION), actor=actor, at=at)
    settled(action, f"{actor} had failures tried again", at)
    return action


@transaction.atomic
def cancel_rest(*, action_id: UUID, actor: Actor, at: datetime) -> Action:
    """Leave alone whoever was not sent yet. What was done stays done, and can be rolled back."""
    incident, action = lock_action(action_id, actor, "control_action", even_over=True)
    only_while(action, Status.APPROVED, Status.RUNNING, Status.PAUSED)
    rows = ActionAccount.objects.filter(action=action)
    handed_over = rows.filter(status=RowStatus.PENDING).update(status=RowStatus.SKIPPED, message=HANDED_OVER)
    count = handed_over + rows.filter(status=RowStatus.WAITING).update(status=RowStatus.SKIPPED)
    # What a worker holds at this moment may have left already.
    rows.filter(status=RowStatus.SENDING).update(
        status=RowStatus.UNKNOWN, message="It was being sent when the action was cancelled. Check the account."
    )
    has_effect = rows.filter(status__in=[RowStatus.DONE, RowStatus.ALREADY, *BROKEN]).exists()
    move(
        action,
        status=Status.CANCELLED,
        finished_at=at,
        not_before=None,
        token=None,
        verify_at=at if has_effect else None,
    )
    mark_undone(action, at)
    said = f"cancelled, {plural(count, 'account')} left alone"
    said += f", {handed_over} of which others had in hand already" if handed_over else ""
    record(
        incident, action_entry(action, "cancelled", said, {"accounts": count}, lane=Lane.DECISION), actor=actor, at=at
    )
    settled(action, f"{actor} cancelled it", at)
    return action


def _go_on(action: Action) -> None:
    """What was paused before it began is only approved again: it begins as any, once what was approved is checked."""
    status = Status.APPROVED if action.started_at is None else Status.RUNNING
    move(action, status=status, paused_because="", not_before=None, finished_at=None)
    wake("actions.run", action_id=str(action.pk))

"""How a run begins, pauses and ends."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count

from runbooks.access.permissions import PORTAL
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations.leasing import Lease, held_with_incident
from runbooks.actions.operations.locking import about_action, action_entry, move
from runbooks.actions.verbs import meaning, words
from runbooks.background import wake
from runbooks.connectors.base import Capabilities
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.notifications.operations import announce
from runbooks.presentation import number, plural, span
from runbooks.timeline.operations import record

Row = ActionAccount
Status = ActionAccount.Status
BROKEN = (Status.FAILED, Status.UNKNOWN)
OPEN = (Status.WAITING, Status.SENDING, Status.PENDING)
OVER = (Action.Status.DONE, Action.Status.DONE_WITH_FAILURES, Action.Status.CANCELLED)
UNEXPECTED = "An unexpected error, which the worker's log tells. Have it looked at, then resume: nothing is sent twice."


def start_run(incident: Incident, action: Action, at: datetime) -> bool:
    """Both are locked."""
    count = Row.objects.filter(action=action).count()
    move(action, status=Action.Status.RUNNING, started_at=at, paused_because="")
    said = f"started, {plural(count, 'account')} through {action.connection}"
    record(incident, action_entry(action, "started", said, {"accounts": count}), actor=PORTAL, at=at)
    return True


@transaction.atomic
def pause_run(lease: Lease, why: str, at: datetime) -> None:
    """Stop and ask people, unless somebody stopped it already."""
    incident, action = held_with_incident(lease)
    if action.status == Action.Status.RUNNING:
        halt(incident, action, why, at)


@transaction.atomic
def break_off(*, action_id: UUID, at: datetime) -> None:
    """Pause a run of which nobody knows why it failed: begun again every few seconds, it would fail every few seconds.

    What it was about is in the worker's log, for it may quote what is nobody's business.
    """
    incident_id = Action.objects.filter(pk=action_id).values_list("incident_id", flat=True).first()
    if incident_id is None:
        return
    incident = lock(incident_id)
    action = Action.objects.select_for_update(of=("self",)).select_related("undoes", "step").get(pk=action_id)
    if action.status in (Action.Status.APPROVED, Action.Status.RUNNING):
        halt(incident, action, UNEXPECTED, at)


def halt(incident: Incident, action: Action, why: str, at: datetime) -> None:
    """Both are locked."""
    move(action, status=Action.Status.PAUSED, paused_because=why[:400], not_before=None)
    record(incident, action_entry(action, "paused", f"paused itself. {why}", {"why": why}), actor=PORTAL, at=at)
    announce(incident, "action.paused", {"number": action.number, "why": why}, at=at, about=about_action(action))


@transaction.atomic
def finish(lease: Lease, capabilities: Capabilities, at: datetime) -> None:
    """End the run when no account is left to send. What is with people keeps it running."""
    incident, action = held_with_incident(lease)
    if action.status == Action.Status.RUNNING:
        finish_if_complete(incident, action, at, lag=_lag(action, capabilities))


def _lag(action: Action, capabilities: Capabilities) -> timedelta | None:
    """After what time a read-back tells; None where the connection cannot tell."""
    fact = meaning(action).fact
    readable = bool(capabilities.facts) if fact is None else fact in capabilities.facts
    return timedelta(seconds=capabilities.lag_seconds if fact else 0) if readable else None


def finish_if_complete(incident: Incident, action: Action, at: datetime, *, lag: timedelta | None) -> bool:
    """Whether nothing is open any more; the action is over then. Both are locked."""
    counts = counts_of(action)
    if any(counts.get(status, 0) for status in OPEN):
        return False
    failed = sum(counts.get(status, 0) for status in BROKEN)
    status = Action.Status.DONE_WITH_FAILURES if failed else Action.Status.DONE
    move(action, status=status, finished_at=at, not_before=None, verify_at=None if lag is None else at + lag)
    mark_undone(action, at)
    said = _said(counts, failed, words(action), span(at - (action.started_at or at)))
    record(incident, action_entry(action, "finished", said, {"counts": counts}), actor=PORTAL, at=at)
    if failed:
        announce(incident, "action.failed", {"number": action.number, "said": said}, at=at, about=about_action(action))
    else:
        announce(incident, "action.finished", {"number": action.number, "said": said}, at=at)
    if action.verify_at is not None and lag == timedelta():
        wake("actions.verify", action_id=str(action.pk))
    return True


def counts_of(action: Action) -> dict[str, int]:
    """Rows by status. One query."""
    rows = Row.objects.filter(action=action).values("status").annotate(n=Count("id"))
    return {row["status"]: row["n"] for row in rows}


def _said(counts: Mapping[str, int], failed: int, done: str, took: str) -> str:
    already, skipped = counts.get(Status.ALREADY, 0), counts.get(Status.SKIPPED, 0)
    said = f"{done} for {plural(counts.get(Status.DONE, 0), 'account')}, in {took}"
    said += f"; {number(already)} were so already" if already else ""
    said += f"; {number(failed)} failed" if failed else ""
    return said + (f"; {number(skipped)} left out" if skipped else "")


def mark_undone(action: Action, at: datetime) -> None:
    """What an undoing put back is undone in the ledger of the first action, which is rolled back when all of it is.

    A first action that was paused and may still go on is not over by that.
    """
    if action.undoes is None:
        return
    undone = Row.objects.filter(action=action, status__in=[Status.DONE, Status.ALREADY]).values("account_id")
    first = Row.objects.filter(action=action.undoes)
    first.filter(account_id__in=undone, undone_at__isnull=True).update(undone_at=at, undone_by=action)
    still = first.filter(status__in=[Status.DONE, Status.ALREADY, Status.UNKNOWN], undone_at__isnull=True)
    before = Action.objects.select_for_update(of=("self",)).get(pk=action.undoes.pk)
    if before.status in OVER and not still.exists():
        move(before, status=Action.Status.ROLLED_BACK, verify_at=None)

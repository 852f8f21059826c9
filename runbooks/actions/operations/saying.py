"""What the timeline says of a batch: one entry an account that folds into a line, and one for each failure."""

from collections.abc import Sequence
from datetime import datetime

from runbooks.access.permissions import PORTAL, Actor
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations.ledger import Settled
from runbooks.actions.operations.locking import action_entry
from runbooks.actions.verbs import words
from runbooks.incidents.models import Incident
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record, record_many

Status = ActionAccount.Status
BAD = {Status.FAILED: "account_failed", Status.UNKNOWN: "account_unknown"}


def say(incident: Incident, action: Action, settled: Sequence[Settled], at: datetime, *, actor: Actor = PORTAL) -> None:
    """Record a batch in the incident that is locked. Rows that wait for another try are not news yet."""
    for verb, statuses in (("account_changed", (Status.DONE, Status.ALREADY)), ("account_asked", (Status.PENDING,))):
        rows = [one for one in settled if one.status in statuses]
        if rows:
            record_many(
                incident, [_head(action, verb, rows), *(_entry(action, verb, one) for one in rows)], actor=actor, at=at
            )
    for one in settled:
        if one.status in BAD:
            said = f"{one.row.login} {'failed' if one.status == Status.FAILED else 'is not known'}. {one.message}"
            details = {"account": one.row.login, "outcome": one.status.value, "message": one.message}
            entry = action_entry(action, BAD[one.status], said, details, account_ids=_about(one))
            record(incident, entry, actor=actor, at=at)


def _head(action: Action, verb: str, rows: Sequence[Settled]) -> Entry:
    said = words(action) if verb == "account_changed" else "given to people"
    already = sum(one.status == Status.ALREADY for one in rows)
    also = f", {already} of them were so already" if already else ""
    details = {"accounts": len(rows), "already": already}
    return action_entry(action, verb, f"{said} for {plural(len(rows), 'account')}{also}", details)


def _entry(action: Action, verb: str, one: Settled) -> Entry:
    """One account. Small: a lock-down writes nine thousand of them."""
    said = "was so already" if one.status == Status.ALREADY else words(action) if verb == "account_changed" else "asked"
    return Entry(
        f"action.{verb}",
        f"{one.row.login}: {said}",
        Lane.ACTION,
        {
            "action": action.number,
            "account": one.row.login,
            "outcome": one.status.value,
            "before": one.row.before_facts or {},
        },
        step_id=action.step_id,
        account_ids=_about(one),
    )


def _about(one: Settled) -> tuple[int, ...]:
    return () if one.row.affected_account_id is None else (one.row.affected_account_id,)

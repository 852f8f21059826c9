"""Moving accounts from state to state, by the table of transitions."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import AffectedAccount, State, Tier
from runbooks.affected_accounts.operations.moves import Move, need_reason, write_moves
from runbooks.affected_accounts.operations.selection import (
    NOTHING,
    Outcome,
    Refusals,
    lock_accounts,
    record_each,
)
from runbooks.affected_accounts.transitions import Transition, following, missing_facts, tier_after, transition
from runbooks.incidents.operations import lock_running
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry


@transaction.atomic
def change_state(
    *,
    incident_id: UUID,
    account_ids: Collection[int],
    after: str,
    reason: str = "",
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> Outcome:
    """Move those of the accounts whose guard holds; the outcome says which did not, and why.

    Raises ReasonMissingError where a move needs one, and CannotChangeAccountsError where none can move.
    """
    require(actor, "assess_account", incident_id)
    incident = lock_running(incident_id)
    rows = lock_accounts(incident, account_ids, version=version)
    wanted, reason, refusals = State(after), reason.strip(), Refusals()
    there = sum(row.state == wanted for row in rows)
    moves = [
        Move(row, step, tier_after(step, row.tier))
        for row in rows
        if (step := _step(row, wanted, refusals)) is not None
    ]
    refusals.raise_unless(len(moves) + there)
    need_reason([move for move in moves if move.step and move.step.needs_reason], reason, f"“{wanted.label}”")
    if not moves:
        return Outcome(0, there, refusals.all(), NOTHING)
    write_moves(incident, moves, reason=reason, actor=actor, at=at)
    said = _said(moves, reason)
    entries = [_entry(move, move.step, reason) for move in moves if move.step]
    record_each(incident, entries, summary=said, actor=actor, at=at, refused=refusals.all())
    return Outcome(len(moves), there, refusals.all(), said)


def _step(row: AffectedAccount, wanted: State, refusals: Refusals) -> Transition | None:
    """How this account gets there; None where it is there already or cannot, with the reason kept."""
    if row.state == wanted:
        return None
    step = transition(row.state, wanted)
    if step is None:
        can = ", ".join(f"“{one.after.label}”" for one in following(row.state))
        refusals.add(row, f"From “{State(row.state).label}” the state can become {can}.")
        return None
    missing = missing_facts(step, row)
    if missing:
        refusals.add(row, f"Before “{wanted.label}” record: {', '.join(kind.label.lower() for kind in missing)}.")
        return None
    if wanted == State.COMPROMISED and row.tier not in {Tier.A, Tier.B}:
        refusals.add(row, "It has neither tier A nor B. Set the tier: that confirms it.")
        return None
    return step


def _entry(move: Move, step: Transition, reason: str) -> Entry:
    details = {
        "account": move.row.login,
        "before": step.before.value,
        "after": step.after.value,
        "tier": move.tier,
        "tier_before": move.row.tier,
        "reason": reason,
    }
    lane = Lane.DECISION if step.needs_reason else Lane.ACTION
    return Entry("account.state_changed", _said([move], reason), lane, details, account_ids=[move.row.pk])


def _said(moves: Sequence[Move], reason: str) -> str:
    because = f": {reason}" if reason else ""
    befores = {move.before for move in moves}
    was = f"“{moves[0].before.label}”" if len(befores) == 1 else f"{len(befores)} different states"
    if len(moves) == 1:
        verb = "reopened as" if moves[0].step and moves[0].step.reopens else "is now"
        return f"{moves[0].row.login} {verb} “{moves[0].after.label}”, was {was}{because}"
    return f"{plural(len(moves), 'account')} are now “{moves[0].after.label}”, were {was}{because}"

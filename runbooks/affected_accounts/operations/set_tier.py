"""The analysts' tier of accounts, and the state that follows from it."""

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
from runbooks.affected_accounts.transitions import ASSESSING, STATE_OF_TIER, transition
from runbooks.incidents.operations import lock_running
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry

# From least harm to most; no tier yet is less than any.
HARM = ("", Tier.C, Tier.D, Tier.B, Tier.A)
GOT_THROUGH = {Tier.A, Tier.B}


@transaction.atomic
def set_tier(
    *,
    incident_id: UUID,
    account_ids: Collection[int],
    tier: str,
    reason: str = "",
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> Outcome:
    """Set the tier. While an account is being assessed its state follows: A and B confirm it, C and D do not.

    Raises ReasonMissingError where a tier is lowered without one, CannotChangeAccountsError where none can change.
    """
    require(actor, "assess_account", incident_id)
    incident = lock_running(incident_id)
    rows = lock_accounts(incident, account_ids, version=version)
    wanted, reason, refusals = Tier(tier), reason.strip(), Refusals()
    there = sum(row.tier == wanted for row in rows)
    moves = [move for row in rows if row.tier != wanted and (move := _move(row, wanted, refusals)) is not None]
    refusals.raise_unless(len(moves) + there)
    need_reason([move for move in moves if _lowers(move)], reason, f"tier {wanted.value}")
    if not moves:
        return Outcome(0, there, refusals.all(), NOTHING)
    write_moves(incident, moves, reason=reason, actor=actor, at=at)
    said = _said(moves, wanted, reason)
    entries = [_entry(move, wanted, reason) for move in moves]
    record_each(incident, entries, summary=said, actor=actor, at=at, refused=refusals.all())
    return Outcome(len(moves), there, refusals.all(), said)


def _move(row: AffectedAccount, wanted: Tier, refusals: Refusals) -> Move | None:
    target = STATE_OF_TIER[wanted]
    if row.state in ASSESSING or row.state == State.FALSE_POSITIVE:
        step = transition(row.state, target) if row.state != target else None
        if step is None and row.state != target:
            refusals.add(row, f"It is marked “{State(row.state).label}”. Tier A, B or D takes it up again.")
            return None
        return Move(row, step, wanted)
    if wanted not in GOT_THROUGH and row.tier in GOT_THROUGH:
        refusals.add(
            row, f"It is “{State(row.state).label}” already. If it was never broken into, make it “Not affected”."
        )
        return None
    return Move(row, None, wanted)


def _lowers(move: Move) -> bool:
    return HARM.index(move.tier) < HARM.index(move.row.tier) or bool(move.step and move.step.needs_reason)


def _entry(move: Move, wanted: Tier, reason: str) -> Entry:
    details = {
        "account": move.row.login,
        "tier": wanted.value,
        "tier_before": move.row.tier,
        "before": move.before.value,
        "after": move.after.value,
        "reason": reason,
    }
    return Entry("account.tier_set", _said([move], wanted, reason), Lane.DECISION, details, account_ids=[move.row.pk])


def _said(moves: Sequence[Move], wanted: Tier, reason: str) -> str:
    because = f": {reason}" if reason else ""
    if len(moves) > 1:
        befores = {move.row.tier for move in moves}
        was = f", had {_named(moves[0].row.tier)}" if len(befores) == 1 else ""
        return f"{plural(len(moves), 'account')} set to tier {wanted.value}{was}{because}"
    move = moves[0]
    state = f", which makes it “{move.after.label}”" if move.step else ""
    return f"{move.row.login} set to tier {wanted.value}, had {_named(move.row.tier)}{state}{because}"


def _named(tier: str) -> str:
    return f"tier {tier}" if tier else "no tier"

"""Writing changes of state and tier that were found to be allowed, with their history."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Value
from django.db.models.functions import Coalesce

from runbooks.access.permissions import Actor
from runbooks.affected_accounts.models import AccountFact, AffectedAccount, State, StateChange
from runbooks.affected_accounts.operations.selection import save_all
from runbooks.affected_accounts.transitions import (
    RANKS,
    STALE_AFTER_REOPENING,
    Transition,
    fact_at,
    fact_column,
    level,
)
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.presentation import plural

BATCH = 2000
COMPROMISED, CONTAINED = 1, 2


class ReasonMissingError(DomainError):
    """The change takes something back: others will ask why."""

    status = 400


@dataclass(frozen=True, slots=True)
class Move:
    """`step` is None where only the tier changes."""

    row: AffectedAccount
    step: Transition | None
    tier: str

    @property
    def before(self) -> State:
        return State(self.row.state)

    @property
    def after(self) -> State:
        return self.step.after if self.step else self.before


def need_reason(moves: Sequence[Move], reason: str, what: str) -> None:
    """Refuse moves that take something back without a word. `what` they become: “Suspected”, tier C."""
    if not moves or reason.strip():
        return
    who = f"{moves[0].row.login} becomes" if len(moves) == 1 else f"{plural(len(moves), 'account')} become"
    raise ReasonMissingError(f"Say why {who} {what}: it takes back what was said before.")


def write_moves(incident: Incident, moves: Sequence[Move], *, reason: str, actor: Actor, at: datetime) -> None:
    """Rows, facts that a reopening makes worthless, and the history. The rows in memory stay as they were."""
    groups: dict[tuple[Transition | None, str], list[AffectedAccount]] = {}
    for move in moves:
        groups.setdefault((move.step, move.tier), []).append(move.row)
    for (step, tier), rows in groups.items():
        if step is None:
            save_all(rows, at, tier=tier)
        else:
            save_all(rows, at, tier=tier, state=step.after, rank=RANKS[step.after], **_moments(step, at))
    _drop_stale_facts([move.row for move in moves if move.step and move.step.reopens], reason, actor, at)
    StateChange.objects.bulk_create(
        (
            StateChange(
                incident=incident,
                affected_account=move.row,
                before=move.before,
                after=move.after,
                reason=reason,
                changed_by=actor.name,
                at=at,
            )
            for move in moves
            if move.step
        ),
        batch_size=BATCH,
    )


def _moments(step: Transition, at: datetime) -> dict[str, object]:
    """When it was first confirmed, and since when it is contained; unset by what makes them untrue."""
    before, after = level(step.before), level(step.after)
    moments: dict[str, object] = {}
    if after >= COMPROMISED:
        moments["compromised_at"] = Coalesce(F("compromised_at"), Value(at))
    elif not step.reopens:
        moments["compromised_at"] = None
    if after < CONTAINED:
        moments["contained_at"] = None
    elif before < CONTAINED:
        moments["contained_at"] = at
    return moments


def _drop_stale_facts(rows: Iterable[AffectedAccount], reason: str, actor: Actor, at: datetime) -> None:
    """Harm was seen again: what was found before proves nothing now, and has to be done anew."""
    stale = [(row, kind) for row in rows for kind in STALE_AFTER_REOPENING if fact_at(row, kind) is not None]
    if not stale:
        return
    source = f"Reopened: {reason}"[:200]
    AccountFact.objects.bulk_create(
        (
            AccountFact(
                affected_account=row,
                kind=kind,
                holds=False,
                at=at,
                source=source,
                recorded_by=actor.name,
                recorded_at=at,
            )
            for row, kind in stale
        ),
        batch_size=BATCH,
    )
    AffectedAccount.objects.filter(pk__in={row.pk for row, _ in stale}).update(
        **{fact_column(kind): None for kind in STALE_AFTER_REOPENING}
    )

"""One account of an incident: what is known of it now, and what may follow."""

from dataclasses import dataclass
from uuid import UUID

from runbooks.affected_accounts.models import AccountFact, AffectedAccount, FactKind
from runbooks.affected_accounts.transitions import Transition, following, missing_facts
from runbooks.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Move:
    """A state that may follow, and what keeps it from following now."""

    step: Transition
    missing: list[FactKind]


@dataclass(frozen=True, slots=True)
class FactState:
    """What is known of one fact now, `newest` first said; None where nobody ever recorded it."""

    kind: FactKind
    newest: AccountFact | None


def affected_account(incident_id: UUID, affected_id: int) -> AffectedAccount:
    """With its directory account and owner, in one query. NotFoundError for those of other incidents."""
    found = (
        AffectedAccount.objects.select_related("account", "owner")
        .filter(incident_id=incident_id, pk=affected_id)
        .first()
    )
    if found is None:
        raise NotFoundError("There is no such account in this incident.")
    return found


def moves(account: AffectedAccount) -> list[Move]:
    """What may follow the account's state, forward first."""
    found = [Move(step, missing_facts(step, account)) for step in following(account.state)]
    return sorted(found, key=lambda move: (not move.step.is_forward, bool(move.missing), move.step.needs_reason))


def facts_of(account: AffectedAccount) -> list[FactState]:
    """Every kind of fact with its newest finding. One query."""
    rows = AccountFact.objects.filter(affected_account=account).order_by("kind", "-at", "-id").distinct("kind")
    newest: dict[str, AccountFact] = {row.kind: row for row in rows}
    return [FactState(kind, newest.get(kind)) for kind in FactKind]

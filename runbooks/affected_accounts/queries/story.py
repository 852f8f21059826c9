"""One account of an incident: everything that is known of it."""

from dataclasses import dataclass
from uuid import UUID

from runbooks.affected_accounts.models import AccountFact, AffectedAccount, ContactAttempt, FactKind, StateChange
from runbooks.affected_accounts.transitions import Transition, following, missing_facts
from runbooks.errors import NotFoundError
from runbooks.timeline.models import TimelineEvent

ENTRIES = 25
HISTORY = 100


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
    earlier: list[AccountFact]


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
    """Every kind of fact with its newest finding, and what was found before, among the newest 100. Two queries."""
    rows = AccountFact.objects.filter(affected_account=account)
    newest = {row.kind: row for row in rows.order_by("kind", "-at", "-id").distinct("kind")}
    recent = list(rows.order_by("-at", "-id")[:HISTORY])
    return [
        FactState(kind, last, [row for row in recent if row.kind == kind and row != last])
        for kind in FactKind
        for last in [newest.get(kind)]
    ]


def contacts_of(account: AffectedAccount) -> list[ContactAttempt]:
    """The newest 100 attempts, newest first."""
    return list(ContactAttempt.objects.filter(affected_account=account).order_by("-at", "-id")[:HISTORY])


def state_changes_of(account: AffectedAccount) -> list[StateChange]:
    """The newest 100 changes, newest first."""
    return list(StateChange.objects.filter(affected_account=account).order_by("-at", "-id")[:HISTORY])


def entries_about(account: AffectedAccount, *, before: int | None = None) -> tuple[list[TimelineEvent], int | None]:
    """Timeline entries that name the account, newest first, 25 at a time; and the sequence to go on before."""
    entries = TimelineEvent.objects.filter(incident_id=account.incident_id, account_ids__contains=[account.pk])
    if before is not None:
        entries = entries.filter(sequence__lt=before)
    found = list(
        entries.order_by("-sequence").only("sequence", "summary", "lane", "actor", "occurred_at", "recorded_at")[
            : ENTRIES + 1
        ]
    )
    return found[:ENTRIES], found[ENTRIES - 1].sequence if len(found) > ENTRIES else None

"""Bringing accounts of the directory into an incident."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import AffectedAccount, State, StateChange, Tier
from runbooks.affected_accounts.operations.moves import BATCH
from runbooks.affected_accounts.operations.selection import CannotChangeAccountsError, record_each
from runbooks.affected_accounts.transitions import RANKS, STATE_OF_TIER
from runbooks.directory.models import Account
from runbooks.errors import NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock_running
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry


@dataclass(frozen=True, slots=True)
class Added:
    """The rows that are new; how many accounts were in the incident already."""

    rows: list[AffectedAccount]
    already: int


@transaction.atomic
def add_accounts(
    *, incident_id: UUID, account_ids: Collection[int], tier: str = "", source: str, actor: Actor, at: datetime
) -> Added:
    """Add accounts of the directory, with a tier where one is known. Those already there stay as they are.

    `source` says where they come from, for the timeline: a list's name, a report.
    """
    require(actor, "import_affected", incident_id)
    incident = lock_running(incident_id)
    if not account_ids:
        raise CannotChangeAccountsError("No accounts are chosen. Tick some first.")
    return insert_accounts(incident, account_ids, tier=tier, source=source, actor=actor, at=at)


def insert_accounts(
    incident: Incident, account_ids: Collection[int], *, tier: str, source: str, actor: Actor, at: datetime
) -> Added:
    """As `add_accounts`, inside an operation that holds the incident's lock."""
    wanted = set(account_ids)
    there = set(
        AffectedAccount.objects.filter(incident=incident, account_id__in=wanted).values_list("account_id", flat=True)
    )
    accounts = list(Account.objects.filter(pk__in=wanted - there).defer("match_keys").order_by("login"))
    if len(accounts) != len(wanted - there):
        raise NotFoundError("Some of these accounts are not in the directory. Import it again, then add them.")
    rows = AffectedAccount.objects.bulk_create(
        [_row(incident, account, tier, at) for account in accounts], batch_size=BATCH
    )
    StateChange.objects.bulk_create(
        (
            StateChange(
                incident=incident,
                affected_account=row,
                after=row.state,
                reason=source[:400],
                changed_by=actor.name,
                at=at,
            )
            for row in rows
        ),
        batch_size=BATCH,
    )
    if rows:
        entries = [_entry(row, source) for row in rows]
        record_each(incident, entries, summary=_said(rows, source), actor=actor, at=at)
    return Added(rows, len(there))


def _row(incident: Incident, account: Account, tier: str, at: datetime) -> AffectedAccount:
    state = STATE_OF_TIER[Tier(tier)] if tier else State.NOT_ASSESSED
    return AffectedAccount(
        incident=incident,
        account=account,
        login=account.login,
        display_name=account.display_name,
        department=account.department,
        is_privileged=account.is_privileged,
        tier=tier,
        state=state,
        rank=RANKS[state],
        added_at=at,
        changed_at=at,
        compromised_at=at if state == State.COMPROMISED else None,
    )


def _entry(row: AffectedAccount, source: str) -> Entry:
    details = {"account": row.login, "tier": row.tier, "state": str(row.state), "source": source}
    return Entry("account.added", _said([row], source), Lane.DETECTION, details, account_ids=[row.pk])


def _said(rows: Sequence[AffectedAccount], source: str) -> str:
    who = rows[0].login if len(rows) == 1 else plural(len(rows), "account")
    tier = f", tier {rows[0].tier}" if rows[0].tier else ""
    return f"{who} added from {source}{tier}"

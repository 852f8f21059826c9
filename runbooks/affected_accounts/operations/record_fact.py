"""Dated findings about accounts: that sign-in is disabled, that the holder was reached, or that it is so no longer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import AccountFact, AffectedAccount, FactKind
from runbooks.affected_accounts.operations.selection import (
    Outcome,
    Refusals,
    lock_accounts,
    record_each,
    save_all,
)
from runbooks.affected_accounts.transitions import fact_column
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock_running
from runbooks.presentation import full_clock, plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry

BATCH = 2000
CLOCK_SKEW = timedelta(minutes=5)
# An old password change or revocation proves nothing: the attacker came after it.
ONLY_DURING_INCIDENT = frozenset({FactKind.SESSIONS_REVOKED, FactKind.PASSWORD_CHANGED})
NO_LONGER = {
    FactKind.SIGN_IN_DISABLED: "sign-in is enabled again",
    FactKind.SESSIONS_REVOKED: "sessions are open again",
    FactKind.PASSWORD_CHANGED: "the changed password counts no longer",
    FactKind.RULES_CHECKED: "the mailbox rules need another check",
    FactKind.HOLDER_REACHED: "the holder counts as not reached",
    FactKind.HOLDER_CONFIRMED: "the holder's confirmation counts no longer",
    FactKind.DATA_LOSS_ASSESSED: "the data loss needs another assessment",
    FactKind.MFA_BOUND: "two-step sign-in is no longer set up",
}


class BadFactError(DomainError):
    """The finding lacks its time or source, or cannot have been made then."""

    status = 400


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, when it was true in the world, and who or what says so."""

    kind: FactKind
    happened_at: datetime
    source: str
    holds: bool = True
    note: str = ""


@transaction.atomic
def record_fact(
    *,
    incident_id: UUID,
    account_ids: Collection[int],
    finding: Finding,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> Outcome:
    """Add the finding to every account. The state does not move by itself: a guard that is now met is offered.

    A finding older than the newest of its kind is kept as history and changes nothing else.
    """
    require(actor, "record_fact", incident_id)
    incident = lock_running(incident_id)
    rows = lock_accounts(incident, account_ids, version=version)
    _check(finding, incident, at)
    refusals = Refusals()
    fit = [row for row in rows if not _is_too_early(row, finding, refusals)]
    refusals.raise_unless(len(fit))
    add_findings(fit, finding, actor=actor, at=at)
    said = _said(fit, finding)
    entries = [_entry(row, finding) for row in fit]
    record_each(incident, entries, summary=said, actor=actor, at=at, refused=refusals.all())
    return Outcome(len(fit), 0, refusals.all(), said)


def _check(finding: Finding, incident: Incident, at: datetime) -> None:
    if not finding.source.strip():
        raise BadFactError("Say who or what says so: a read-back, a colleague, a document.")
    if finding.happened_at > at + CLOCK_SKEW:
        raise BadFactError("This lies in the future. Check the date and the time zone.")
    if finding.holds and finding.kind in ONLY_DURING_INCIDENT and finding.happened_at < incident.detected_at:
        noticed = full_clock(incident.detected_at, incident.zone)
        raise BadFactError(
            f"This is from before the attack was noticed ({noticed}), so it protects nobody. "
            "Do it again, then record it."
        )


def _is_too_early(row: AffectedAccount, finding: Finding, refusals: Refusals) -> bool:
    """Two-step sign-in counts only when it was set up after containment: before, it may be the attacker's."""
    if finding.kind != FactKind.MFA_BOUND or not finding.holds:
        return False
    if row.contained_at is not None and finding.happened_at > row.contained_at:
        return False
    refusals.add(row, "Two-step sign-in counts only when it was set up after the account was contained.")
    return True


def add_findings(rows: Sequence[AffectedAccount], finding: Finding, *, actor: Actor, at: datetime) -> None:
    """The rows of the finding, and in each account since when its newest finding holds. The accounts are locked."""
    column = fact_column(finding.kind)
    newest = dict(
        AccountFact.objects.filter(affected_account__in=[row.pk for row in rows], kind=finding.kind)
        .order_by("affected_account", "-at", "-id")
        .distinct("affected_account")
        .values_list("affected_account", "at")
    )
    AccountFact.objects.bulk_create(
        (
            AccountFact(
                affected_account=row,
                kind=finding.kind,
                holds=finding.holds,
                at=finding.happened_at,
                source=finding.source.strip(),
                note=finding.note.strip(),
                recorded_by=actor.name,
                recorded_at=at,
            )
            for row in rows
        ),
        batch_size=BATCH,
    )
    current = [row for row in rows if row.pk not in newest or newest[row.pk] <= finding.happened_at]
    save_all(current, at, **{column: finding.happened_at if finding.holds else None})


def fact_words(finding: Finding) -> str:
    return finding.kind.label.lower() if finding.holds else NO_LONGER[finding.kind]


def _entry(row: AffectedAccount, finding: Finding) -> Entry:
    details = {
        "account": row.login,
        "fact": finding.kind.value,
        "holds": finding.holds,
        "source": finding.source.strip(),
        "note": finding.note.strip(),
    }
    lane = Lane.CONTACT if finding.kind == FactKind.HOLDER_REACHED else Lane.ACTION
    summary = _said([row], finding)
    return Entry("account.fact_recorded", summary, lane, details, occurred_at=finding.happened_at, account_ids=[row.pk])


def _said(rows: Sequence[AffectedAccount], finding: Finding) -> str:
    who = rows[0].login if len(rows) == 1 else plural(len(rows), "account")
    note = f". {finding.note.strip()}" if finding.note.strip() else ""
    return f"{who}: {fact_words(finding)} (source: {finding.source.strip()}){note}"

"""Claim and truth: a holder's word counts when the directory shows a password that was changed since containment."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from runbooks.access.permissions import PORTAL
from runbooks.affected_accounts.models import AffectedAccount, FactKind, State
from runbooks.affected_accounts.operations import change_state
from runbooks.affected_accounts.operations.read_back import take_read_backs
from runbooks.affected_accounts.operations.record_fact import Finding, add_findings
from runbooks.affected_accounts.transitions import missing_facts, transition
from runbooks.confirmations.models import Confirmation
from runbooks.confirmations.operations.confirming import asked_since
from runbooks.confirmations.operations.reading import (
    changed_at_of,
    note_trouble,
    password_back,
    read_directory,
    reading_connection,
)
from runbooks.connectors.base import AccountState, ConnectorError
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record, record_many

Truth = Confirmation.Truth
CHUNK = 200
# A directory shows a change late: asked again after each of these, and then it differs.
AGAIN = (timedelta(minutes=1), timedelta(minutes=4), timedelta(minutes=5))
UNREADABLE_AGAIN = timedelta(minutes=2)
WAY = (State.HOLDER_REACHED, State.HOLDER_CONFIRMED)


def check(*, incident_id: UUID, clock: Callable[[], datetime]) -> int:
    """Ask the directory about every claim that is due; how many were asked about. Outside a transaction."""
    incident = Incident.objects.get(pk=incident_id)
    name = reading_connection(incident)
    asked = 0
    while claims := _due(incident_id, clock(), limit=CHUNK):
        try:
            states = read_directory(incident, name, [claim.affected_account.account for claim in claims])
        except (ConnectorError, DomainError) as error:
            note_trouble(incident, error)
            return _put_off(claims, clock())
        _store(incident_id, claims, states, clock())
        asked += len(claims)
    return asked


def incidents_due(at: datetime) -> list[UUID]:
    return list(_waiting(at).values_list("incident_id", flat=True).order_by().distinct()[:100])


def _waiting(at: datetime) -> QuerySet[Confirmation]:
    """Claims whose time has come. In an incident that is over no account moves: there they wait for its reopening."""
    return Confirmation.objects.exclude(incident__status__in=Incident.OVER).filter(check_at__lte=at)


def _due(incident_id: UUID, at: datetime, *, limit: int) -> list[Confirmation]:
    due = _waiting(at).filter(incident_id=incident_id)
    return list(due.select_related("affected_account__account").order_by("check_at", "pk")[:limit])


def _put_off(claims: Sequence[Confirmation], at: datetime) -> int:
    """Nobody can say now. It stays open, for a person to see, and is asked again."""
    Confirmation.objects.filter(pk__in=[claim.pk for claim in claims]).update(check_at=at + UNREADABLE_AGAIN)
    return 0


@transaction.atomic
def _store(incident_id: UUID, claims: Sequence[Confirmation], states: Sequence[AccountState], at: datetime) -> None:
    incident = lock(incident_id)
    if incident.is_over:
        return
    ids = [claim.pk for claim in claims]
    held = {claim.pk: claim for claim in Confirmation.objects.select_for_update().filter(pk__in=ids).order_by("pk")}
    rows = {
        row.pk: row
        for row in AffectedAccount.objects.select_for_update()
        .filter(pk__in=[claim.affected_account_id for claim in claims])
        .order_by("pk")
    }
    agreed, differing = [], []
    for claim, state in zip(claims, states, strict=True):
        kept = held[claim.pk]
        if kept.truth != Truth.PENDING:
            continue
        row = rows[kept.affected_account_id]
        changed_at = changed_at_of(state)
        if changed_at is not None and changed_at >= asked_since(row, incident):
            _agree(kept, changed_at, at)
            agreed.append((kept, row, state))
        elif kept.check_at != claim.check_at:
            continue  # another worker asked at the same time, and has counted it
        elif state.problem:
            # Not to be read says nothing against the holder: it stays open, as where the whole directory is silent.
            kept.check_at = at + UNREADABLE_AGAIN
            kept.save(update_fields=["check_at"])
        elif kept.checks < len(AGAIN):
            kept.check_at, kept.checks = at + AGAIN[kept.checks], kept.checks + 1
            kept.save(update_fields=["check_at", "checks"])
        else:
            _differ(kept, changed_at, at)
            differing.append((kept, row, state))
    _record(incident, agreed, differing, at)


def _agree(kept: Confirmation, changed_at: datetime, at: datetime) -> None:
    kept.truth, kept.checked_at, kept.check_at, kept.password_changed_at = Truth.AGREES, at, None, changed_at
    kept.save(update_fields=["truth", "checked_at", "check_at", "password_changed_at"])


def _differ(kept: Confirmation, changed_at: datetime | None, at: datetime) -> None:
    kept.truth, kept.checked_at, kept.check_at, kept.password_changed_at = Truth.DIFFERS, at, None, changed_at
    kept.save(update_fields=["truth", "checked_at", "check_at", "password_changed_at"])


Settled = tuple[Confirmation, AffectedAccount, AccountState]


def _record(incident: Incident, agreed: Sequence[Settled], differing: Sequence[Settled], at: datetime) -> None:
    """Facts, what differs, and entries; then those who may move on the way do."""
    backs = [password_back(row, state, agrees=True) for _, row, state in agreed]
    backs += [password_back(row, state, differs=True) for _, row, state in differing]
    take_read_backs(incident, backs, actor=PORTAL, at=at)
    for kept, row, _ in agreed:
        source = f"Holder's answer {kept.receipt}, and the directory agrees"
        add_findings([row], Finding(FactKind.HOLDER_CONFIRMED, kept.answered_at, source), actor=PORTAL, at=at)
    entries = [_entry(kept, row, "confirmed", "the directory shows the new password") for kept, row, _ in agreed]
    record_many(incident, entries, actor=PORTAL, at=at)
    for kept, row, _ in differing:
        said = "the directory does not show a new password: call back"
        record(incident, _entry(kept, row, "differs", said), actor=PORTAL, at=at)
    _move(incident, [row.pk for _, row, _ in agreed], at)


def _entry(kept: Confirmation, row: AffectedAccount, verb: str, said: str) -> Entry:
    details = {
        "account": row.login,
        "receipt": kept.receipt,
        "password_changed_at": kept.password_changed_at.isoformat() if kept.password_changed_at else None,
    }
    return Entry(f"holder.{verb}", f"Holder of {row.login}: {said}", Lane.CONTACT, details, account_ids=[row.pk])


def _move(incident: Incident, affected_ids: Sequence[int], at: datetime) -> None:
    """Along the way as far as the facts allow: reached, then reset confirmed. What is not contained stays there."""
    for after in WAY:
        rows = AffectedAccount.objects.filter(pk__in=affected_ids)
        ready = [
            row.pk
            for row in rows
            if (step := transition(row.state, after)) is not None and not missing_facts(step, row)
        ]
        if ready:
            reason = f"{plural(len(ready), 'holder')} answered, and the directory agrees"
            change_state(incident_id=incident.pk, account_ids=ready, after=after, reason=reason, actor=PORTAL, at=at)

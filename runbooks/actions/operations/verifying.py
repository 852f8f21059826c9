"""Reading back what an action achieved: once the system can show it, then again and again while it must hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import PORTAL
from runbooks.actions.connecting import connection_of
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations.asking import plain, read
from runbooks.actions.operations.finishing import OVER
from runbooks.actions.operations.leasing import Lease, held_with_incident, leased
from runbooks.actions.operations.ledger import before_facts, plain_facts, write_read_back
from runbooks.actions.operations.locking import action_entry, move
from runbooks.actions.operations.running import Clock
from runbooks.actions.queries.superseded import overtaken
from runbooks.actions.verbs import PROVEN_BY, holds, meaning, words
from runbooks.affected_accounts.models import FactKind
from runbooks.affected_accounts.operations.read_back import REMOTE_ACCESS, ReadBack, take_read_backs
from runbooks.connectors.base import AccountState, Connector, ConnectorError, Fact
from runbooks.containment.models import Evidence
from runbooks.containment.operations import NewEvidence, add_evidence
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.notifications.operations import announce
from runbooks.presentation import number, plural
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.operations import Entry, record, record_many

Row = ActionAccount
Verdict = ActionAccount.Verdict
CHUNK = 1000
AGAIN = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4))
LATER = timedelta(hours=12)
UNREADABLE_AGAIN = timedelta(minutes=5)
NOT_VERIFIED = "action.not_verified"
UNEXPECTED = "An unexpected error, which the worker's log tells."


@dataclass(slots=True)
class Counts:
    """Of one pass. `lost` held at the last reading and hold no longer."""

    holds: int = 0
    differs: int = 0
    unreadable: int = 0
    lost: list[str] = field(default_factory=list)


def verify(*, action_id: UUID, clock: Clock) -> None:
    """Read back every account of a finished action that is due, and plan the next time."""
    with leased(action_id, _may_verify, clock()) as lease:
        if lease is None:
            return
        action = Action.objects.select_related("incident", "undoes", "step").get(pk=action_id)
        try:
            with connection_of(action) as connector:
                counts = _read_all(lease, action, connector, clock)
        except (ConnectorError, DomainError) as error:
            _try_later(lease, plain(error), clock())
        else:
            _speak_for_the_step(action, _close(lease, counts, clock()), clock())


def _may_verify(incident: Incident, action: Action, at: datetime) -> bool:
    if incident.is_over or action.status not in OVER:
        return False
    return action.verify_at is not None and action.verify_at <= at


def _read_all(lease: Lease, action: Action, connector: Connector, clock: Clock) -> Counts:
    counts, after, changed_later = Counts(), 0, overtaken(action)
    while rows := _chunk(action, after):
        after = rows[-1].position
        ours = [row for row in rows if row.account_id not in changed_later]
        _store(lease, ours, read(connector, ours), counts, clock())
    return counts


def _chunk(action: Action, after: int) -> list[Row]:
    """Rows whose effect must still show, but for those that a later action has overtaken."""
    rows = Row.objects.filter(
        action=action,
        position__gt=after,
        undone_at__isnull=True,
        status__in=[Row.Status.DONE, Row.Status.ALREADY],
    )
    return list(rows.order_by("position")[:CHUNK])


@transaction.atomic
def _store(lease: Lease, rows: Sequence[Row], states: Sequence[AccountState], counts: Counts, at: datetime) -> None:
    incident, action = held_with_incident(lease)
    before = before_facts(action, rows)
    read, backs, lost = [], [], []
    for row, state in zip(rows, states, strict=True):
        facts = plain_facts(state)
        verdict = _verdict(action, before.get(row.account_id, {}), facts, row, problem=state.problem)
        read.append((row, verdict.value, facts))
        _count(counts, row, verdict)
        if verdict == Verdict.DIFFERS and row.verdict != Verdict.DIFFERS:
            lost.append((row, facts))
        if row.affected_account_id is not None and not state.problem:
            backs.append(_read_back(action, row.affected_account_id, state, verdict))
    write_read_back(read, at)
    take_read_backs(incident, backs, actor=PORTAL, at=at)
    record_many(incident, [_differs(action, row, facts) for row, facts in lost], actor=PORTAL, at=at)


def _verdict(
    action: Action, before: Mapping[str, Any], facts: Mapping[str, Any], row: Row, *, problem: str
) -> ActionAccount.Verdict:
    if problem:
        return Verdict.UNREADABLE
    if action.kind == Action.Kind.READ_STATE:
        return Verdict.HOLDS
    found = holds(action, before, facts, row.sent_at)
    if found is None:
        return Verdict.UNREADABLE
    return Verdict.HOLDS if found else Verdict.DIFFERS


def _count(counts: Counts, row: Row, verdict: ActionAccount.Verdict) -> None:
    counts.holds += verdict == Verdict.HOLDS
    counts.differs += verdict == Verdict.DIFFERS
    counts.unreadable += verdict == Verdict.UNREADABLE
    if verdict == Verdict.DIFFERS and row.verdict == Verdict.HOLDS:
        counts.lost.append(row.login)


def _read_back(action: Action, affected_id: int, state: AccountState, verdict: ActionAccount.Verdict) -> ReadBack:
    found: dict[FactKind, datetime | None] = {}
    sources: dict[FactKind, str] = {}
    for fact, kind in {**PROVEN_BY, Fact.PASSWORD_CHANGED_AT: FactKind.PASSWORD_CHANGED}.items():
        reading = state.facts.get(fact)
        if reading is None:
            continue
        if isinstance(reading.value, datetime):
            found[kind] = reading.value
        elif reading.value is True:
            found[kind] = reading.read_at
        elif reading.value is False and (fact == meaning(action).fact or action.kind == Action.Kind.READ_STATE):
            # That something is not so counts only where this connection was asked about it: another may have done it.
            found[kind] = None
        sources[kind] = f"{reading.source}, read back"
    about = meaning(action).proves or (REMOTE_ACCESS if meaning(action).fact == Fact.REMOTE_ACCESS else None)
    said = frozenset({about}) if about else frozenset()
    return ReadBack(
        affected_id,
        f"{action.connection}, read back",
        found,
        differs=said if verdict == Verdict.DIFFERS else frozenset(),
        agrees=said if verdict == Verdict.HOLDS else frozenset(),
        sources=sources,
    )


def _differs(action: Action, row: Row, facts: Mapping[str, Any]) -> Entry:
    said = f"{row.login} differs: it should be {words(action)}, and the directory does not show it"
    details = {"account": row.login, "read": facts}
    about = () if row.affected_account_id is None else (row.affected_account_id,)
    return action_entry(action, "account_differs", said, details, account_ids=about)


@transaction.atomic
def _close(lease: Lease, counts: Counts, at: datetime) -> str:
    """What was read back, in a sentence."""
    incident, action = held_with_incident(lease)
    is_once = action.kind == Action.Kind.READ_STATE or action.undoes_id is not None
    next_at = None if is_once and not counts.differs else at + _pause(action.verifications)
    move(action, verified_at=at, verifications=action.verifications + 1, verify_at=next_at)
    total = counts.holds + counts.differs + counts.unreadable
    said = f"read back, {number(counts.holds)} of {plural(total, 'account')} as asked"
    said += f"; {number(counts.differs)} differ" if counts.differs else ""
    said += f"; {number(counts.unreadable)} cannot be read" if counts.unreadable else ""
    details = {"as_asked": counts.holds, "differ": counts.differs, "unreadable": counts.unreadable}
    record(incident, action_entry(action, "verified", said, details), actor=PORTAL, at=at)
    if counts.lost:
        announce(incident, "action.differs", {"number": action.number, "count": len(counts.lost)}, at=at)
    return said


def _speak_for_the_step(action: Action, said: str, at: datetime) -> None:
    """The first read-back is evidence on the step that the action carries out: nobody has to copy it there."""
    if action.step is None or action.verifications or action.undoes_id is not None:
        return
    note = f"Action {action.number} ({words(action)}, {action.connection}): {said}. What was approved: {action.digest}"
    evidence = NewEvidence(kind=Evidence.Kind.NOTE, note=note)
    add_evidence(incident_id=action.incident_id, key=action.step.key, evidence=evidence, actor=PORTAL, at=at)


def _pause(verifications: int) -> timedelta:
    return AGAIN[verifications] if verifications < len(AGAIN) else LATER


@transaction.atomic
def _try_later(lease: Lease, why: str, at: datetime) -> None:
    _put_off(*held_with_incident(lease), why, at)


@transaction.atomic
def give_up(*, action_id: UUID, at: datetime) -> None:
    """Put off a reading of which nobody knows why it failed."""
    incident_id = Action.objects.filter(pk=action_id).values_list("incident_id", flat=True).first()
    if incident_id is None:
        return
    incident = lock(incident_id)
    action = Action.objects.select_for_update(of=("self",)).select_related("undoes", "step").get(pk=action_id)
    if _may_verify(incident, action, at):
        _put_off(incident, action, UNEXPECTED, at)


def _put_off(incident: Incident, action: Action, why: str, at: datetime) -> None:
    """The system does not answer: that is said once, and asked again until it does."""
    move(action, verify_at=at + UNREADABLE_AGAIN)
    said = TimelineEvent.objects.filter(
        incident=incident,
        kind__in=["action.verified", NOT_VERIFIED],
        details__action=action.number,
    )
    if said.order_by("-sequence").values_list("kind", flat=True).first() == NOT_VERIFIED:
        return
    entry = action_entry(action, "not_verified", f"could not be read back. {why}", {"why": why})
    record(incident, entry, actor=PORTAL, at=at)

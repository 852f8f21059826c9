"""Carrying an action out: batch by batch, each row claimed, sent and settled, so that a dead worker loses nothing.

Three transactions a batch, and the outside world between them: what is there now is stored, then the accounts are acted
on, then what was answered is stored with its entries. A worker killed anywhere leaves rows that are waiting (nothing
was sent) or being sent (nobody knows); the next worker reads those back first.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Min, Q

from runbooks.actions.connecting import connection_of
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations.asking import check_order, is_somebody_else, plain, read, ref, with_holder
from runbooks.actions.operations.deciding import void_before_start
from runbooks.actions.operations.finishing import finish, halt, pause_run, start_run
from runbooks.actions.operations.leasing import Lease, LeaseLostError, held, held_with_incident, leased
from runbooks.actions.operations.ledger import Settled, mark_sending, plain_facts, settle_rows
from runbooks.actions.operations.saying import say
from runbooks.actions.verbs import holds, meaning, verb
from runbooks.connectors.base import (
    AccountState,
    ActionResult,
    Capabilities,
    Connector,
    ConnectorError,
    Outcome,
    Values,
)
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import IncidentOverError

Row = ActionAccount
Status = ActionAccount.Status
# Well under the broker's visibility limit and the task's time limit; the sweep goes on where this ends.
RUN_TIME = timedelta(minutes=5)
# Waits no longer than this are slept through; for longer ones the worker does something else.
PATIENCE = timedelta(seconds=10)
ATTEMPTS, REFUSALS = 5, 8
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
FOUND_DONE = "The answer was lost. Read back, it is so."
CLOSED = "The incident is over. Reopen it, then resume what should still be done."
ANOTHER = "The directory has another login or identifier for it since this was approved. Ask for it by a new action."
NOT_KNOWN = "The worker stopped while this was being sent. Check the account, then retry or settle it by hand."

Clock = Callable[[], datetime]


@dataclass(slots=True)
class Run:
    """One worker's turn on one action. `patience` sleeps."""

    lease: Lease
    connector: Connector
    clock: Clock
    patience: Callable[[float], None]
    refusals: int = 0
    failed_in_a_row: int = 0
    may_send_at: datetime | None = None


def run(*, action_id: UUID, clock: Clock, patience: Callable[[float], None] = time.sleep) -> None:
    """Work on an approved action until it is done, somebody stops it, or this worker's turn is over."""
    began = clock()
    with leased(action_id, _may_run, began) as lease:
        if lease is None:
            return
        action = Action.objects.select_related("incident").get(pk=action_id)
        try:
            with connection_of(action) as connector:
                turn = Run(lease, connector, clock, patience)
                while clock() - began < RUN_TIME and _batch(turn):
                    pass
        except DomainError as error:
            pause_run(lease, str(error), clock())


def _may_run(incident: Incident, action: Action, at: datetime) -> bool:
    if action.status == Action.Status.APPROVED and not incident.is_over:
        return not void_before_start(incident, action, at) and start_run(incident, action, at)
    if action.status == Action.Status.RUNNING and incident.is_over:
        # Reopening an incident must not set off by itself what was forgotten in it.
        halt(incident, action, CLOSED, at)
    return action.status == Action.Status.RUNNING


def _batch(turn: Run) -> bool:
    """One batch; whether to go on."""
    action = _renewed(turn)
    if not _wait(turn, _until(turn, action)):
        return False
    rows = _next_rows(action, turn)
    if not rows:
        return _nothing_left(turn, action)
    try:
        moved, ours = _sort_by_holder(rows)
        states = read(turn.connector, ours)
        found = {row.pk: state for row, state in zip(ours, states, strict=True)}
        recovered, to_send = _sort(action, ours, found, turn.connector.capabilities)
        _mark(turn, to_send, found)
        results = _act(turn, action, to_send)
    except ConnectorError as error:
        return _refused(turn, rows, error)
    turn.refusals = 0
    _keep_rate(turn, results)
    answered = [_settled(action, row, result, turn.clock()) for row, result in zip(to_send, results, strict=True)]
    return _store(turn, moved + recovered + answered)


@transaction.atomic
def _renewed(turn: Run) -> Action:
    action = held(turn.lease)
    if action.status != Action.Status.RUNNING:
        raise LeaseLostError
    if action.incident.is_over:
        raise IncidentOverError(CLOSED)
    return action


def _next_rows(action: Action, turn: Run) -> list[Row]:
    """The most dangerous first; those of a dead worker among them. This worker alone has the lease."""
    size = min(action.batch_size, turn.connector.capabilities.batch_size)
    due = Q(retry_at__isnull=True) | Q(retry_at__lte=turn.clock())
    rows = Row.objects.filter(Q(status=Status.SENDING) | Q(status=Status.WAITING) & due, action=action)
    return list(with_holder(rows).order_by("position")[:size])


def _sort_by_holder(rows: Sequence[Row]) -> tuple[list[Settled], list[Row]]:
    """Rows that may be about somebody else by now, which are not touched, and the others."""
    others = {row.pk for row in rows if is_somebody_else(row)}
    moved = [
        Settled(row, Status.FAILED, ANOTHER, is_permanent=True)
        if row.status == Status.WAITING
        else Settled(row, Status.UNKNOWN, NOT_KNOWN)
        for row in rows
        if row.pk in others
    ]
    return moved, [row for row in rows if row.pk not in others]


def _sort(
    action: Action, rows: Sequence[Row], found: Mapping[int, AccountState], capabilities: Capabilities
) -> tuple[list[Settled], list[Row]]:
    """Rows that need not or must not be sent again after a worker died, and those to send."""
    settled, to_send = [], []
    for row in rows:
        if row.status != Status.SENDING:
            to_send.append(row)
            continue
        is_so = holds(action, row.before_facts or {}, plain_facts(found[row.pk]), row.sent_at)
        was_so = holds(action, row.before_facts or {}, row.before_facts or {}, row.sent_at)
        shows_at_once = is_so is False and not capabilities.lag_seconds
        if is_so and not was_so:
            settled.append(Settled(row, Status.DONE, FOUND_DONE))
        elif is_so or shows_at_once or meaning(action).is_repeatable:
            to_send.append(row)
        else:
            settled.append(Settled(row, Status.UNKNOWN, NOT_KNOWN))
    return settled, to_send


@transaction.atomic
def _mark(turn: Run, rows: Sequence[Row], found: Mapping[int, AccountState]) -> None:
    """Before anything leaves: the before-values, and that it is about to. Nothing leaves once somebody paused."""
    _renewed(turn)
    mark_sending(rows, found, turn.clock())
    for row in rows:
        row.attempts += 1
        if row.before_facts is None and not found[row.pk].problem:
            row.before_facts = plain_facts(found[row.pk])


def _act(turn: Run, action: Action, rows: Sequence[Row]) -> list[ActionResult]:
    if not rows:
        return []
    refs = [ref(row) for row in rows]
    if action.kind == Action.Kind.READ_STATE:
        return [ActionResult(one, Outcome.OK) for one in refs]
    results = turn.connector.act(verb(action), refs, _key(action, rows), _values(action, rows))
    check_order(rows, results)
    return results


def _key(action: Action, rows: Sequence[Row]) -> str:
    """The same for the same accounts of the same action, at every try."""
    positions = ",".join(str(row.position) for row in rows)
    return f"{action.pk}.{hashlib.sha256(positions.encode()).hexdigest()[:16]}"


def _values(action: Action, rows: Sequence[Row]) -> dict[str, Values] | None:
    """What an undoing puts back, by login: the before-values of the action that it undoes."""
    if action.undoes_id is None:
        return None
    accounts = [row.account_id for row in rows]
    kept = Row.objects.filter(action_id=action.undoes_id, account__in=accounts, before__isnull=False)
    before = {account_id: values or {} for account_id, values in kept.values_list("account_id", "before")}
    return {row.login: before[row.account_id] for row in rows if row.account_id in before}


def _settled(action: Action, row: Row, result: ActionResult, at: datetime) -> Settled:
    said = plain(result.message)
    match result.outcome:
        case Outcome.OK:
            return Settled(row, Status.DONE, said, before=result.before)
        case Outcome.ALREADY:
            was_so = row.attempts == 1 or holds(action, row.before_facts or {}, row.before_facts or {}, row.sent_at)
            return Settled(row, Status.ALREADY if was_so else Status.DONE, said, before=result.before)
        case Outcome.PENDING:
            return Settled(row, Status.PENDING, said)
        case _ if result.permanent or row.attempts >= ATTEMPTS:
            return Settled(row, Status.FAILED, said, is_permanent=result.permanent)
        case _:
            wait = result.retry_after if result.retry_after is not None else _backoff(row.attempts)
            return Settled(row, Status.WAITING, said, retry_at=at + timedelta(seconds=wait))


@transaction.atomic
def _store(turn: Run, settled: Sequence[Settled]) -> bool:
    """What was answered, with its entries; whether to go on."""
    at = turn.clock()
    incident, action = held_with_incident(turn.lease)
    settled = _not_answered_yet(settled)
    settle_rows(settled, by=action.connection, at=at)
    say(incident, action, settled, at)
    if action.status != Action.Status.RUNNING:
        return False
    why = _too_many(turn, settled, action.stop_after_failures)
    # After the last batch there is nothing to stop: it ends, with its failures to retry.
    if why and Row.objects.filter(action=action, status__in=[Status.WAITING, Status.SENDING]).exists():
        pause_run(turn.lease, f"{why} Look at why, then resume or cancel the rest.", at)
        return False
    return True


def _not_answered_yet(settled: Sequence[Settled]) -> Sequence[Settled]:
    """A system that promises an answer may have called back before its promise is stored: the answer stands."""
    promised = [one.row.pk for one in settled if one.status == Status.PENDING]
    if not promised:
        return settled
    answered = Row.objects.filter(pk__in=promised).exclude(status__in=[Status.WAITING, Status.SENDING])
    known = set(answered.values_list("pk", flat=True))
    return [one for one in settled if one.row.pk not in known]


def _too_many(turn: Run, settled: Sequence[Settled], most: int) -> str:
    """Why the run stops; empty when it goes on. Batches may be smaller than what makes it stop."""
    failures = sum(one.status == Status.FAILED for one in settled)
    if failures > most:
        return f"{failures} of {len(settled)} accounts of one batch failed."
    turn.failed_in_a_row = turn.failed_in_a_row + failures if failures == len(settled) else 0
    return f"{turn.failed_in_a_row} accounts in a row failed." if turn.failed_in_a_row > most else ""


def _refused(turn: Run, rows: Sequence[Row], error: ConnectorError) -> bool:
    """Nothing was done to anybody: the rows wait again. A permanent refusal is for people to mend."""
    turn.refusals += 1
    waiting = [row.pk for row in rows if row.status == Status.WAITING]
    with transaction.atomic():
        # Also where somebody paused meanwhile: what waits must not look as if it were on its way.
        action = held(turn.lease)
        Row.objects.filter(pk__in=waiting, status=Status.SENDING).update(
            status=Status.WAITING, sent_at=None, attempts=F("attempts") - 1
        )
        if action.status != Action.Status.RUNNING:
            return False
        wait = error.retry_after if error.retry_after is not None else _backoff(turn.refusals)
        action.not_before = turn.clock() + timedelta(seconds=wait)
        action.save(update_fields=["not_before"])
    if error.permanent or turn.refusals >= REFUSALS:
        pause_run(turn.lease, f"{action.connection} refused: {plain(error)}", turn.clock())
        return False
    return True


def _backoff(tries: int) -> float:
    return float(min(FIRST_WAIT * (1 << (tries - 1)), LONGEST_WAIT))


def _keep_rate(turn: Run, results: Sequence[ActionResult]) -> None:
    """The next batch may go when the system has borne this one: by those it was really asked to change."""
    asked = sum(result.outcome in (Outcome.OK, Outcome.FAILED) for result in results)
    rate = turn.connector.capabilities.rate_per_second
    turn.may_send_at = turn.clock() + timedelta(seconds=asked / rate)


def _until(turn: Run, action: Action) -> datetime:
    return max(turn.may_send_at or turn.clock(), action.not_before or turn.clock())


def _wait(turn: Run, until: datetime) -> bool:
    """Sleep through a short wait. A long one is written down, and the sweep calls again; False then."""
    length = until - turn.clock()
    if length > PATIENCE:
        with transaction.atomic():
            action = _renewed(turn)
            action.not_before = until
            action.save(update_fields=["not_before"])
        return False
    if length > timedelta():
        turn.patience(length.total_seconds())
    return True


def _nothing_left(turn: Run, action: Action) -> bool:
    """Wait for rows that may be tried again later, or finish."""
    at = turn.clock()
    next_try = Row.objects.filter(action=action, status=Status.WAITING).aggregate(at=Min("retry_at"))["at"]
    if next_try is None:
        finish(turn.lease, turn.connector.capabilities, at)
        return False
    return _wait(turn, next_try)

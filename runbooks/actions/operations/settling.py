"""What people and called-back systems say of accounts that were in their hands."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from runbooks.access.permissions import PORTAL, Actor
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations.drafting import BadActionError
from runbooks.actions.operations.finishing import finish_if_complete, mark_undone
from runbooks.actions.operations.ledger import Settled, settle_rows
from runbooks.actions.operations.locking import lock_action, only_while
from runbooks.actions.operations.saying import say
from runbooks.actions.verbs import meaning
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.affected_accounts.operations.record_fact import Finding, add_findings
from runbooks.connectors import configured
from runbooks.connectors.base import ActionResult, Outcome
from runbooks.errors import DomainError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock

RowStatus = ActionAccount.Status
BY_HAND = (RowStatus.DONE, RowStatus.ALREADY, RowStatus.FAILED)
IN_HANDS = (RowStatus.PENDING, RowStatus.UNKNOWN)
# An answer may be here before the promise of it is stored, and after the action was cancelled: it is the truth all the
# same. What was never sent is answered by nobody.
AWAITED = Q(
    status__in=[RowStatus.PENDING, RowStatus.SENDING, RowStatus.UNKNOWN, RowStatus.SKIPPED], sent_at__isnull=False
)
EVIDENCE_MAX = 900


@transaction.atomic
def settle(
    *,
    action_id: UUID,
    row_ids: Collection[int],
    status: str,
    evidence: str,
    happened_at: datetime,
    actor: Actor,
    at: datetime,
) -> Action:
    """A person says what became of accounts they had in hand, with the evidence a connector would have brought."""
    incident, action = lock_action(action_id, actor, "settle_action")
    only_while(action, *Action.BEGUN, Action.Status.CANCELLED)
    if status not in BY_HAND:
        raise BadActionError("Say whether it was done, was so already, or failed.")
    evidence = evidence.strip()
    if not evidence:
        raise BadActionError("Write what shows it: what was seen, where, and when.")
    if len(evidence) > EVIDENCE_MAX:
        raise BadActionError(f"Keep the evidence under {EVIDENCE_MAX} characters, and attach the rest to the step.")
    if happened_at > at + timedelta(minutes=5):
        raise BadActionError("This lies in the future. Check the date and the time zone.")
    rows = list(ActionAccount.objects.select_for_update().filter(action=action, pk__in=row_ids).order_by("position"))
    if not rows or len(rows) != len(set(row_ids)):
        raise NotFoundError("Some of these accounts are not in this action. Go back and choose again.")
    if settled := [row.login for row in rows if row.status not in IN_HANDS]:
        raise BadActionError(f"{settled[0]} is settled already. Look at the list again.")
    word = RowStatus(status)
    _write(incident, action, [Settled(row, word, evidence) for row in rows], by=actor.name, actor=actor, at=at)
    _facts(incident, action, rows, word, evidence, happened_at, actor, at)
    return action


def _facts(
    incident: Incident,
    action: Action,
    rows: Sequence[ActionAccount],
    status: ActionAccount.Status,
    evidence: str,
    happened_at: datetime,
    actor: Actor,
    at: datetime,
) -> None:
    """What a person saw counts as what a read-back would have brought, under their name."""
    kind = meaning(action).proves
    ids = [row.affected_account_id for row in rows if row.affected_account_id is not None]
    if kind is None or status == RowStatus.FAILED or action.undoes_id is not None or not ids:
        return
    affected = list(AffectedAccount.objects.select_for_update().filter(incident=incident, pk__in=ids).order_by("pk"))
    add_findings(affected, Finding(kind, happened_at, f"{actor}, by hand", note=evidence[:400]), actor=actor, at=at)


@transaction.atomic
def receive_answer(*, connection: str, key: str, results: Sequence[ActionResult], at: datetime) -> int:
    """Results that a system called back with; how many were news. One that comes twice changes nothing."""
    action_id = _action_of(key)
    found = Action.objects.filter(pk=action_id, connection=connection).values_list("incident_id", flat=True).first()
    if found is None:
        raise NotFoundError("No action of this connection has this key.")
    incident = lock(found)
    action = Action.objects.select_for_update(of=("self",)).select_related("undoes", "step").get(pk=action_id)
    by_login = {result.account.login: result for result in results if result.outcome != Outcome.PENDING}
    rows = ActionAccount.objects.select_for_update().filter(AWAITED, action=action, login__in=by_login)
    settled = [_settled(row, by_login[row.login]) for row in rows.order_by("position")]
    if settled:
        _write(incident, action, settled, by=connection, actor=PORTAL, at=at)
    return len(settled)


def _action_of(key: str) -> UUID:
    try:
        return UUID(key.partition(".")[0])
    except ValueError as error:
        raise NotFoundError("No action of this connection has this key.") from error


def _settled(row: ActionAccount, result: ActionResult) -> Settled:
    status = {Outcome.OK: RowStatus.DONE, Outcome.ALREADY: RowStatus.ALREADY}.get(result.outcome, RowStatus.FAILED)
    return Settled(row, status, result.message, is_permanent=result.permanent, before=result.before)


def _write(
    incident: Incident, action: Action, settled: Sequence[Settled], *, by: str, actor: Actor, at: datetime
) -> None:
    settle_rows(settled, by=by, at=at)
    say(incident, action, settled, at, actor=actor)
    if action.status == Action.Status.RUNNING:
        finish_if_complete(incident, action, at, lag=_lag(action))
    elif action.status != Action.Status.PAUSED:
        mark_undone(action, at)


def _lag(action: Action) -> timedelta | None:
    """After what time a read-back tells; None where it cannot, also since the connection is gone from the settings."""
    try:
        capabilities = configured(action.connection).capabilities
    except DomainError:
        return None
    return timedelta(seconds=capabilities.lag_seconds) if meaning(action).fact in capabilities.facts else None

"""Reading what an action would change, before anybody is asked to decide on it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import PORTAL
from runbooks.actions.connecting import connection_of
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations.asking import plain, read
from runbooks.actions.operations.leasing import Lease, held, held_with_incident, leased
from runbooks.actions.operations.ledger import before_facts, plain_facts
from runbooks.actions.operations.locking import action_entry
from runbooks.actions.operations.running import Clock
from runbooks.actions.verbs import holds, is_so
from runbooks.connectors.base import AccountState, ConnectorError
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.presentation import plural
from runbooks.timeline.operations import record

CHUNK = 1000
UNEXPECTED = "An unexpected error, which the worker's log tells. Make the list again to read it again."


def preview(*, action_id: UUID, clock: Clock) -> None:
    """Read the state of every account of a draft that nobody has read yet. What cannot be read is said, not hidden."""
    with leased(action_id, _may_preview, clock()) as lease:
        if lease is None:
            return
        action = Action.objects.select_related("incident", "undoes").get(pk=action_id)
        problem = ""
        try:
            with connection_of(action) as connector:
                after = 0
                while rows := _chunk(action, after):
                    _store(lease, action, rows, read(connector, rows))
                    after = rows[-1].position
        except (ConnectorError, DomainError) as error:
            problem = plain(error)
        _close(lease, action.version, problem, clock())


def _may_preview(incident: Incident, action: Action, at: datetime) -> bool:
    return action.status == Action.Status.DRAFT and action.previewed_at is None and not incident.is_over


def _chunk(action: Action, after: int) -> list[ActionAccount]:
    return list(ActionAccount.objects.filter(action=action, position__gt=after).order_by("position")[:CHUNK])


@transaction.atomic
def _store(lease: Lease, action: Action, rows: Sequence[ActionAccount], states: Sequence[AccountState]) -> None:
    held(lease)
    before = before_facts(action, rows)
    by_answer: dict[tuple[bool | None, str], list[int]] = {}
    for row, state in zip(rows, states, strict=True):
        facts = plain_facts(state)
        was_so = (
            is_so(action, facts)
            if action.undoes_id is None
            else holds(action, before.get(row.account_id, {}), facts, None)
        )
        by_answer.setdefault((was_so, plain(state.problem)[:1000]), []).append(row.pk)
    for (was_so, problem), ids in by_answer.items():
        ActionAccount.objects.filter(pk__in=ids).update(was_so=was_so, message=problem)


@transaction.atomic
def _close(lease: Lease, version: int, problem: str, at: datetime) -> None:
    incident, action = held_with_incident(lease)
    # A list that was changed meanwhile is read again, from its beginning.
    if action.status == Action.Status.DRAFT and action.version == version:
        _end(incident, action, problem, at)


@transaction.atomic
def give_up(*, action_id: UUID, at: datetime) -> None:
    """End a preview of which nobody knows why it failed: begun again every few seconds, it would fail as often."""
    incident_id = Action.objects.filter(pk=action_id).values_list("incident_id", flat=True).first()
    if incident_id is None:
        return
    incident = lock(incident_id)
    action = Action.objects.select_for_update(of=("self",)).select_related("undoes", "step").get(pk=action_id)
    if _may_preview(incident, action, at):
        _end(incident, action, UNEXPECTED, at)


def _end(incident: Incident, action: Action, problem: str, at: datetime) -> None:
    # Not a new version: a form that was opened meanwhile is about the same list.
    action.previewed_at, action.preview_problem = at, problem[:400]
    action.save(update_fields=["previewed_at", "preview_problem"])
    rows = ActionAccount.objects.filter(action=action)
    count, already = rows.count(), rows.filter(was_so=True).count()
    said = f"previewed, {plural(count, 'account')}, {already} of them so already"
    said += f". Not all could be read: {problem}" if problem else ""
    record(
        incident, action_entry(action, "previewed", said, {"accounts": count, "already": already}), actor=PORTAL, at=at
    )

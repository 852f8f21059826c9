"""One worker at a time works on an action, and a dead one holds nothing.

The lock is PostgreSQL's advisory one, held by the worker's own connection: it goes with the process, at once, where a
lease by the clock would keep the others waiting. Should a worker lose its connection and live on, the token tells:
whatever it still writes is refused.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from django.db import connection, transaction

from runbooks.actions.models import Action
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock


class LeaseLostError(Exception):
    """Somebody paused or cancelled the action, or another worker took it over: stop without a word."""


@dataclass(frozen=True, slots=True)
class Lease:
    action_id: UUID
    incident_id: UUID
    token: UUID


@contextmanager
def leased(
    action_id: UUID, allowed: Callable[[Incident, Action, datetime], bool], at: datetime
) -> Iterator[Lease | None]:
    """The right to work on the action, when nobody else does and `allowed` agrees (both rows are locked then).

    Ends quietly when the lease is lost.
    """
    if not _try_lock(action_id):
        yield None
        return
    try:
        yield _take(action_id, allowed, at)
    except LeaseLostError:
        return
    finally:
        _unlock(action_id)


@transaction.atomic
def _take(action_id: UUID, allowed: Callable[[Incident, Action, datetime], bool], at: datetime) -> Lease | None:
    incident_id = Action.objects.filter(pk=action_id).values_list("incident_id", flat=True).first()
    if incident_id is None:
        return None
    incident, action = lock(incident_id), _locked(action_id)
    if not allowed(incident, action, at):
        return None
    action.token = uuid4()
    action.save(update_fields=["token"])
    return Lease(action_id, incident_id, action.token)


def held(lease: Lease) -> Action:
    """The action, locked, while the lease is ours. Raises LeaseLostError."""
    action = _locked(lease.action_id)
    if action.token != lease.token:
        raise LeaseLostError
    return action


def held_with_incident(lease: Lease) -> tuple[Incident, Action]:
    """As `held`, for what writes an entry: the incident is locked first."""
    return lock(lease.incident_id), held(lease)


def _locked(action_id: UUID) -> Action:
    return Action.objects.select_for_update(of=("self",)).select_related("undoes", "step", "incident").get(pk=action_id)


def _try_lock(action_id: UUID) -> bool:
    return _ask("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", action_id)


def _unlock(action_id: UUID) -> None:
    _ask("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", action_id)


def _ask(statement: str, action_id: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, [str(action_id)])
        return bool(cursor.fetchone()[0])

"""Results of calls made from paper, typed in afterwards with their own times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.confirmations.models import DeskCall
from runbooks.confirmations.operations.calling import Ending, calling_person, close_call
from runbooks.errors import DomainError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock_running


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the paper list: whom, what came of it, and when."""

    affected_id: int
    ending: Ending
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class Noted:
    """How many lines were taken, and {account: why its line was not}."""

    taken: int
    errors: Mapping[int, str]


@transaction.atomic
def note_calls(*, incident_id: UUID, lines: Sequence[Line], actor: Actor, at: datetime) -> Noted:
    """Every line that holds together is taken; the others are given back with what is wrong."""
    user_id = calling_person(actor, incident_id)
    incident = lock_running(incident_id)
    errors = {}
    for line in lines:
        try:
            with transaction.atomic():
                _note(incident, line, user_id, actor, at)
        except DomainError as error:
            errors[line.affected_id] = str(error)
    return Noted(len(lines) - len(errors), errors)


def _note(incident: Incident, line: Line, user_id: int, actor: Actor, at: datetime) -> None:
    # The line before moved the head of the incident, which is locked all the while.
    incident.refresh_from_db(fields=["head_sequence", "head_hash"])
    row = AffectedAccount.objects.select_related("account").filter(incident=incident, pk=line.affected_id).first()
    if row is None:
        raise NotFoundError("There is no such account in this incident.")
    call = DeskCall(
        incident=incident,
        affected_account=row,
        taken_by_id=user_id,
        taken_at=line.happened_at,
        held_until=line.happened_at,
    )
    close_call(call, incident, line.ending, actor=actor, happened_at=line.happened_at, at=at)

"""When a holder is best called, by the clock of the incident's zone."""

from datetime import datetime, time
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.affected_accounts.operations.selection import NOTHING, Outcome, lock_accounts, save_all
from runbooks.errors import DomainError
from runbooks.incidents.operations import lock_running
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record


class BadHoursError(DomainError):
    """These are no hours."""

    status = 400


@transaction.atomic
def set_call_hours(
    *,
    incident_id: UUID,
    affected_id: int,
    call_from: time | None,
    call_until: time | None,
    actor: Actor,
    at: datetime,
) -> Outcome:
    """Both, or neither to clear them. From later than until means over midnight."""
    require(actor, "call_holders", incident_id)
    incident = lock_running(incident_id)
    (row,) = lock_accounts(incident, [affected_id])
    hours = _whole(call_from, call_until)
    before = (row.call_from, row.call_until)
    if before == hours:
        return Outcome(0, 1, (), NOTHING)
    save_all([row], at, call_from=hours[0], call_until=hours[1])
    said = _said(row, *hours)
    details = {"account": row.login, "before": hours_in_words(*before), "after": hours_in_words(*hours)}
    record(incident, Entry("holder.call_hours", said, Lane.CONTACT, details, account_ids=[row.pk]), actor=actor, at=at)
    return Outcome(1, 0, (), said)


def hours_in_words(call_from: time | None, call_until: time | None) -> str:
    """14:00 to 16:00; empty where there are none."""
    return f"{call_from:%H:%M} to {call_until:%H:%M}" if call_from is not None and call_until is not None else ""


def _whole(call_from: time | None, call_until: time | None) -> tuple[time | None, time | None]:
    """To the minute. Raises BadHoursError."""
    if (call_from is None) != (call_until is None):
        raise BadHoursError("Say both: from when and until when.")
    if call_from is None or call_until is None:
        return None, None
    hours = call_from.replace(second=0, microsecond=0), call_until.replace(second=0, microsecond=0)
    if hours[0] == hours[1]:
        raise BadHoursError("From and until are the same time. Say a span, or clear both.")
    return hours


def _said(row: AffectedAccount, call_from: time | None, call_until: time | None) -> str:
    words = hours_in_words(call_from, call_until)
    return f"{row.login} is best called {words}" if words else f"{row.login} can be called at any time"

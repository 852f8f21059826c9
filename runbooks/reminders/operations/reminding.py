"""Saying what is due: steps to their owners and from overdue on to the lead, deadlines to those who answer for them,
requests to those who may decide."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.models import User
from runbooks.access.permissions import LEADING
from runbooks.incidents.models import Incident
from runbooks.notifications.operations import announce
from runbooks.presentation import span
from runbooks.reminders.models import Reminder
from runbooks.reminders.operations.locking import lock_soon
from runbooks.reminders.queries.crew import Crew, crew_of, once
from runbooks.reminders.queries.due import Due, OpenStep, Request, to_say


def incidents_to_remind(at: datetime) -> list[UUID]:
    """The running incidents in which something is to be said, that which is due longest first."""
    return list(dict.fromkeys(one.incident_id for one in to_say(at)))


@transaction.atomic
def remind(*, incident_id: UUID, at: datetime) -> int:
    """Say what has come in this incident, and that it was said, in one transaction; how many things.

    What is due is read under the incident's lock: of a step that was completed a moment ago nothing is said.
    """
    incident = lock_soon(incident_id)
    if incident.is_over:
        return 0
    found = to_say(at, [incident_id])
    if not found:
        return 0
    Reminder.objects.bulk_create(
        Reminder(incident=incident, event=one.stage.event, about=one.about, due_at=one.stage.at, sent_at=at)
        for one in found
    )
    crew = crew_of(incident)
    for one in found:
        _say(incident, one, crew, at)
    return len(found)


def _say(incident: Incident, one: Due, crew: Crew, at: datetime) -> None:
    if isinstance(one.thing, Request):
        _say_request(incident, one.about, one.thing, crew, at)
    elif one.stage.event.startswith("clock."):
        _say_deadline(incident, one.about, one.stage.event, one.thing, crew, at)
    else:
        _say_step(incident, one.about, one.stage.event, one.thing, crew, at)


def _say_step(incident: Incident, about: str, event: str, step: OpenStep, crew: Crew, at: datetime) -> None:
    owner = crew.members.get(step.owner_id) if step.owner_id else None
    to = [owner] if owner else crew.leads()
    said = {
        "number": step.number,
        "title": step.title,
        "due": step.due_at,
        "length": span(step.due_at - at),
        "owner": str(owner or ""),
    }
    if event == "step.due_soon":
        announce(incident, "step.due_soon", said, at=at, to=to, about=about)
    elif event == "step.due":
        announce(incident, "step.due", said, at=at, to=_also_outside(step, to, crew), about=about)
    else:
        to = _also_outside(step, once([*to, *crew.leads()]), crew)
        announce(incident, "step.overdue", said, at=at, to=to, about=about)


def _also_outside(step: OpenStep, to: Sequence[User], crew: Crew) -> list[User]:
    """Where somebody outside waits, those who answer to them hear of it as well."""
    return once([*to, *crew.for_deadlines()]) if step.deadline_label else list(to)


def _say_deadline(incident: Incident, about: str, event: str, step: OpenStep, crew: Crew, at: datetime) -> None:
    to = crew.for_deadlines()
    said = {
        "label": step.deadline_label,
        "number": step.number,
        "title": step.title,
        "due": step.due_at,
        "length": span(step.due_at - at),
    }
    if event == "clock.half":
        announce(incident, "clock.half", said, at=at, to=to, about=about)
    else:
        announce(incident, "clock.three_quarters", said, at=at, to=to, about=about)


def _say_request(incident: Incident, about: str, request: Request, crew: Crew, at: datetime) -> None:
    deciders = [user for user in crew.members.values() if user.role in LEADING and user.pk not in request.authors]
    said = {
        "number": request.number,
        "who": request.requested_by or "Somebody",
        "asked": request.asked_at,
        "expires": request.expires_at,
        "length": span(request.expires_at - at),
    }
    announce(incident, "action.waiting", said, at=at, to=deciders, about=about)

"""Nudges: what an incident lacks, said to whoever can mend it, and not said any more once it is mended."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.models import Role, User
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import announce, withdraw
from runbooks.reminders.models import Reminder
from runbooks.reminders.operations.locking import lock_soon
from runbooks.reminders.queries.crew import Crew, crew_of, once
from runbooks.reminders.queries.missing import ABOUT, EVENT, Lack, missing, to_nudge


def incidents_to_nudge(at: datetime) -> list[UUID]:
    """The running incidents that lack something which was not said lately, or lack no more what waits to be said."""
    lacking = {(one.incident_id, one.about) for one in missing(at)}
    mended = [incident_id for incident_id, about in _waiting() if (incident_id, about) not in lacking]
    return list(dict.fromkeys([*mended, *(one.incident_id for one in to_nudge(at))]))


@transaction.atomic
def nudge(*, incident_id: UUID, at: datetime) -> int:
    """Drop what waits of things that were mended, say what is missing; how many things."""
    incident = lock_soon(incident_id)
    lacking = {one.about for one in missing(at, [incident_id])}
    for _, about in _waiting(incident_id):
        if about not in lacking:
            withdraw(incident_id, about, at=at, because="it was mended")
    found = to_nudge(at, [incident_id])
    crew = crew_of(incident) if found else None
    for one in found:
        to = _for(one.lack, crew) if crew else []
        if to:
            Reminder.objects.create(incident=incident, event=EVENT, about=one.about, due_at=at, sent_at=at)
            announce(incident, "incident.nudged", {"what": one.what, "mend": one.mend}, at=at, to=to, about=one.about)
    return len(found)


def _for(lack: Lack, crew: Crew) -> list[User]:
    coordinators = crew.of_role(Role.COORDINATOR)
    if lack == Lack.LEAD:
        return coordinators
    if lack == Lack.TRIAGE:
        return once([*crew.leads(), *coordinators])
    if lack == Lack.OWNER:
        # Whoever leads is reminded of each of these steps already.
        leads = {user.pk for user in crew.leads()}
        return [user for user in coordinators if user.pk not in leads]
    return crew.leads()


def _waiting(incident_id: UUID | None = None) -> list[tuple[UUID, str]]:
    """(incident, about) of nudges that have not left."""
    rows = Notification.objects.filter(status=Notification.Status.WAITING, about__startswith=ABOUT)
    if incident_id is not None:
        rows = rows.filter(incident=incident_id)
    return [(one, about) for one, about in rows.values_list("incident_id", "about").distinct() if one is not None]

"""Taking on what a chain calls about, called or not."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.errors import DomainError, NotFoundError
from runbooks.incidents.operations import lock
from runbooks.notifications.models import Escalation
from runbooks.notifications.operations import answer
from runbooks.reminders.operations.moving import subject_of
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record


class AlreadyAnsweredError(DomainError):
    """Somebody was quicker, or it is settled."""


@transaction.atomic
def take_on(*, incident_id: UUID, chain_id: UUID, actor: Actor, at: datetime) -> Escalation:
    """The actor sees to it: nobody further is called. After everybody was called in vain that is an entry, too."""
    require(actor, "answer_call", incident_id)
    incident = lock(incident_id)
    rows = Escalation.objects.select_for_update(of=("self",)).filter(incident=incident)
    chain = rows.filter(pk=chain_id).first()
    if chain is None:
        raise NotFoundError("There is no such call in this incident.")
    if chain.status not in {Escalation.Status.RUNNING, Escalation.Status.EXHAUSTED}:
        raise AlreadyAnsweredError(f"This is settled already: {chain.ended_because}.")
    was_in_vain = chain.status == Escalation.Status.EXHAUSTED
    if was_in_vain:
        said = f"{actor} answers what nobody had answered: {subject_of(incident, chain)}"
        details = {"event": chain.event, "about": chain.about}
        record(incident, Entry("escalation.answered", said, Lane.NOTE, details), actor=actor, at=at)
    answer(incident_id, chain.about, by=actor.name, at=at)
    chain.refresh_from_db()
    return chain

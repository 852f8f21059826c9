"""Who has a step: taken by oneself, or given by somebody."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.models import User
from runbooks.access.permissions import Actor, require
from runbooks.containment.models import Step
from runbooks.containment.operations.locking import (
    about_step,
    lock_step,
    refuse_closed,
    save_changed,
    step_entry,
    take_on,
)
from runbooks.containment.operations.refusals import CannotClaimError, NotYourStepError
from runbooks.incidents.operations import lock_running
from runbooks.notifications.operations import announce, withdraw
from runbooks.presentation import full_clock
from runbooks.timeline.operations import record


@transaction.atomic
def claim(*, incident_id: UUID, key: str, actor: Actor, at: datetime) -> Step:
    """Take a step that nobody has. Claiming it twice changes nothing."""
    require(actor, "work_steps", incident_id)
    incident = lock_running(incident_id)
    step = lock_step(incident_id, key)
    refuse_closed(step)
    if actor.user_id is None:
        raise CannotClaimError("Only a person can claim a step. Assign it to somebody.")
    if step.owner_id == actor.user_id:
        return step
    if step.owner_id is not None:
        raise NotYourStepError(
            f"{step.owner} has claimed step {step.number} already. Reassign it if that should change."
        )
    step.owner = User.objects.get(pk=actor.user_id)
    save_changed(step, "owner")
    entry = step_entry(step, "claimed", f"claimed by {actor}", {"owner": step.owner.username})
    record(incident, entry, actor=actor, at=at)
    take_on(step, actor, at)
    return step


@transaction.atomic
def assign(
    *, incident_id: UUID, key: str, user_id: int | None, actor: Actor, at: datetime, version: int | None = None
) -> Step:
    """Give a step to a member of the incident, or to nobody (None), whoever has it now. The new owner is told, and
    what waits to be told to the one before is not."""
    require(actor, "assign_step", incident_id)
    incident = lock_running(incident_id)
    step = lock_step(incident_id, key, version)
    refuse_closed(step)
    owner, before = _member(incident_id, user_id), step.owner
    if owner == before:
        return step
    step.owner = owner
    save_changed(step, "owner")
    said = f"given to {owner}" if owner else "given back, nobody has it"
    said += f", {before} had it" if before else ""
    details = {"owner": owner.username if owner else None, "before": before.username if before else None}
    record(incident, step_entry(step, "assigned", said, details), actor=actor, at=at)
    withdraw(incident_id, about_step(step), at=at, because=f"step {step.number} was {said}")
    if owner is not None and owner.pk != actor.user_id:
        due = full_clock(step.due_at, incident.zone) if step.due_at else ""
        told = {"number": step.number, "title": step.title, "who": str(owner), "by": str(actor), "due": due}
        announce(incident, "step.assigned", told, at=at, to=[owner], about=about_step(step))
    return step


def _member(incident_id: UUID, user_id: int | None) -> User | None:
    if user_id is None:
        return None
    members = User.objects.filter(
        is_active=True, memberships__incident_id=incident_id, memberships__ended_at__isnull=True
    )
    user = members.filter(pk=user_id).first()
    if user is None:
        raise CannotClaimError("This person is not in the incident. Add them first, then assign the step.")
    return user

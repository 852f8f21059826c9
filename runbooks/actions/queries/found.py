"""One action of an incident, by its number."""

from uuid import UUID

from runbooks.actions.models import Action
from runbooks.errors import NotFoundError

GREATEST = 2**31 - 1


def action_for(incident_id: UUID, number: int) -> Action:
    """With its step, its stage, the action it undoes, and who asked and approved. One query; NotFoundError."""
    found = Action.objects.select_related("step", "stage", "undoes", "requested_by", "approved_by")
    action = found.filter(incident_id=incident_id, number=number).first() if number <= GREATEST else None
    if action is None:
        raise NotFoundError("There is no such action in this incident.")
    return action

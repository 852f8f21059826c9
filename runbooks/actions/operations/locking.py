"""What every operation on an action begins and ends with."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from runbooks.access.permissions import Actor, require
from runbooks.actions.models import Action
from runbooks.errors import DomainError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import StaleFormError, lock, lock_running
from runbooks.notifications import operations as notices
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry


class WrongStatusError(DomainError):
    """The action is not where this could be done to it."""


def lock_action(
    action_id: UUID, actor: Actor, permission: str, *, version: int | None = None, even_over: bool = False
) -> tuple[Incident, Action]:
    """The incident and its action, locked in this order, for somebody who may do it.

    `version` is what a form was made from; `even_over` for what a closed incident still takes.
    Raises NotFoundError, NotAllowedError, IncidentOverError, StaleFormError.
    """
    incident_id = Action.objects.filter(pk=action_id).values_list("incident_id", flat=True).first()
    if incident_id is None:
        raise NotFoundError("There is no such action.")
    require(actor, permission, incident_id)
    incident = lock(incident_id) if even_over else lock_running(incident_id)
    action = Action.objects.select_for_update(of=("self",)).select_related("undoes", "step", "stage").get(pk=action_id)
    if version is not None and version != action.version:
        raise StaleFormError(
            f"Somebody else changed action {action.number} since you opened this page. "
            "Look at what stands now, then decide again.",
            {"Status": action.get_status_display()},
        )
    return incident, action


def only_while(action: Action, *statuses: Action.Status) -> None:
    if action.status not in statuses:
        wanted = " or ".join(status.label.lower() for status in statuses)
        raise WrongStatusError(
            f"Action {action.number} is {action.get_status_display().lower()}. This is for actions that are {wanted}."
        )


def move(action: Action, **changes: Any) -> None:
    """Set these fields and raise the version, so that forms made before are stale."""
    for name, value in changes.items():
        setattr(action, name, value)
    action.version += 1
    action.save(update_fields=[*changes, "version"])


def about_action(action: Action) -> str:
    """What notices about it are withdrawn by."""
    return f"action:{action.pk}"


def settled(action: Action, because: str, at: datetime) -> None:
    """What waits to be told of a request, a stop or failures is told no more: somebody saw to it."""
    notices.withdraw(action.incident_id, about_action(action), at=at, because=f"action {action.number}: {because}")


def action_entry(
    action: Action,
    verb: str,
    said: str,
    details: Mapping[str, Any] | None = None,
    *,
    lane: Lane = Lane.ACTION,
    account_ids: tuple[int, ...] = (),
) -> Entry:
    """`verb` as in action.verb; the summary says which action it was."""
    about = {"action": action.number, "kind": action.kind, "connection": action.connection, **(details or {})}
    return Entry(
        f"action.{verb}",
        f"Action {action.number}: {said}",
        lane,
        about,
        step_id=action.step_id,
        account_ids=account_ids,
    )

"""What every operation on a step begins and ends with: the locked row, and the entry that tells of the change."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from runbooks.access.permissions import Actor
from runbooks.containment.models import Step
from runbooks.containment.operations.refusals import StepClosedError
from runbooks.errors import NotFoundError
from runbooks.incidents.models import DECLARATION
from runbooks.incidents.operations import StaleFormError
from runbooks.notifications.operations import answer, withdraw
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry


def lock_step(incident_id: UUID, key: str, version: int | None = None) -> Step:
    """The step, locked until the transaction ends; the caller has locked its incident.

    `version` is the one a person's form was made from: StaleFormError when the step has changed since. Callers
    that show nothing beforehand pass None.
    """
    rows = Step.objects.select_for_update(of=("self",)).select_related("owner")
    step = rows.filter(incident_id=incident_id, key=key).first()
    if step is None:
        raise NotFoundError("There is no such step in this incident.")
    if version is not None and step.version != version:
        raise StaleFormError(
            f"Somebody else changed step {step.number} since you opened it. It is shown as it stands now: "
            "compare, then try again.",
            {"Status": step.get_status_display(), "Owner": str(step.owner or "Nobody")},
        )
    return step


def refuse_closed(step: Step) -> None:
    if step.is_closed:
        raise StepClosedError(
            f"Step {step.number} is {step.get_status_display().lower()} already. Reopen it to change it."
        )


def save_changed(step: Step, *fields: str) -> None:
    """Keep the change and raise the version, so that forms made from the older one are refused."""
    step.version += 1
    step.save(update_fields=[*fields, "version"])


def about_step(step: Step) -> str:
    """What notices about it are withdrawn by."""
    return f"step:{step.pk}"


def take_on(step: Step, actor: Actor, at: datetime) -> None:
    """Whoever takes a step answers what nobody had answered: that it was late, and that an incident was declared."""
    said = f"{actor} has step {step.number}"
    withdraw(step.incident_id, about_step(step), at=at, because=said)
    answer(step.incident_id, DECLARATION, by=said, at=at)


def step_entry(step: Step, verb: str, said: str, details: Mapping[str, object], *, lane: Lane = Lane.ACTION) -> Entry:
    """An entry about the step; `said` is the sentence after its number and title."""
    return Entry(
        f"step.{verb}",
        f"Step {step.number} {step.title}: {said}",
        lane,
        {"step": step.key, "number": step.number, "title": step.title, **details},
        step_id=step.pk,
    )

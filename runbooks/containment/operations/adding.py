"""A step that the runbook does not have, added while the incident runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils.text import slugify

from runbooks.access.permissions import Actor, require
from runbooks.containment.models import Step
from runbooks.containment.operations.locking import step_entry
from runbooks.containment.operations.refusals import BadStepError, short_enough
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.incidents.operations import lock_running
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import record

TITLE_MAX, INSTRUCTION_MAX, LABEL_MAX, RULES_MAX, KEY_MAX = 200, 8000, 200, 12, 60


@dataclass(frozen=True, slots=True)
class NewStep:
    """A step to add. `after` is the key of the step it follows; its phase is that step's.

    `role` is an IncidentRole.Kind, `depends_on` keys of this incident's steps, `evidence` one label a rule.
    """

    title: str
    after: str
    role: str
    instruction: str = ""
    due_at: datetime | None = None
    depends_on: Sequence[str] = ()
    evidence: Sequence[str] = ()
    two_person: bool = False


@transaction.atomic
def add_step(*, incident_id: UUID, step: NewStep, actor: Actor, at: datetime) -> Step:
    """Add a step to the running incident.

    It gets the next free number of its phase, wherever it stands: numbers that people have said aloud never move.
    """
    require(actor, "add_step", incident_id)
    incident = lock_running(incident_id)
    steps = list(Step.objects.select_for_update().filter(incident=incident).order_by("position"))
    wanted = _checked(step, {other.key for other in steps}, at)
    before = next(other for other in steps if other.key == wanted.after)
    Step.objects.filter(incident=incident, position__gt=before.position).update(position=F("position") + 1)
    added = _create(incident, wanted, before, steps)
    details = {
        "after": before.number,
        "role": added.role,
        "due_at": added.due_at.isoformat() if added.due_at else None,
        "depends_on": list(added.depends_on),
        "evidence": [rule["label"] for rule in added.evidence_required],
    }
    entry = step_entry(added, "added", f"added after {before.number}", details, lane=Lane.DECISION)
    record(incident, entry, actor=actor, at=at)
    return added


def _checked(step: NewStep, keys: set[str], at: datetime) -> NewStep:
    title = short_enough(" ".join(step.title.split()), "The title", TITLE_MAX)
    if not title:
        raise BadStepError("Give the step a title that says what is to be done.")
    if step.after not in keys:
        raise BadStepError("Choose the step after which the new one stands.")
    if step.role not in IncidentRole.Kind.values:
        raise BadStepError("Choose the role that does the step.")
    if unknown := sorted(set(step.depends_on) - keys):
        raise BadStepError(f"There is no step {', '.join(unknown)} to depend on. Choose from the list.")
    if step.due_at is not None and step.due_at <= at:
        raise BadStepError("The time it is due has passed already. Choose a later one, or leave it empty.")
    labels = [short_enough(label.strip(), "A line of evidence", LABEL_MAX) for label in step.evidence if label.strip()]
    if len(labels) > RULES_MAX:
        raise BadStepError(f"A step asks for at most {RULES_MAX} pieces of evidence. Put some on one line.")
    return NewStep(
        title=title,
        after=step.after,
        role=step.role,
        instruction=short_enough(step.instruction.strip(), "The instruction", INSTRUCTION_MAX),
        due_at=step.due_at,
        depends_on=list(dict.fromkeys(step.depends_on)),
        evidence=labels,
        two_person=step.two_person,
    )


def _create(incident: Incident, step: NewStep, before: Step, steps: Sequence[Step]) -> Step:
    return Step.objects.create(
        incident=incident,
        key=_free_key(step.title, {other.key for other in steps}),
        position=before.position + 1,
        number=_next_number(before, steps),
        phase=before.phase,
        phase_title=before.phase_title,
        title=step.title,
        instruction=step.instruction,
        role=step.role,
        depends_on=list(step.depends_on),
        due_at=step.due_at,
        evidence_required=[{"key": f"evidence-{n}", "label": label} for n, label in enumerate(step.evidence, start=1)],
        two_person=step.two_person,
        is_added=True,
    )


def _next_number(before: Step, steps: Sequence[Step]) -> str:
    """The phase's number, and one more than the highest in it."""
    phase = before.number.partition(".")[0]
    within = [other.number.partition(".")[2] for other in steps if other.phase == before.phase]
    return f"{phase}.{max((int(part) for part in within if part.isdecimal()), default=0) + 1}"


def _free_key(title: str, taken: set[str]) -> str:
    base = f"added-{slugify(title)[:KEY_MAX].strip('-')}".rstrip("-")
    key, n = base, 1
    while key in taken:
        n += 1
        key = f"{base}-{n}"
    return key

"""The incident's own copy of its runbook."""

from datetime import datetime

from django.db import transaction

from runbooks.catalog.definition import Runbook, RunbookStep
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident


def copy_runbook(incident: Incident, runbook: Runbook, at: datetime) -> list[Step]:
    """Copy the runbook's steps into an incident that is being declared at `at`, in the declaration's transaction.

    The copy is frozen: a later version of the runbook changes nothing in it. Every step with a target gets its due
    time from the declaration; in a step for each account that is the time for the accounts known at the start, and
    accounts that join later count from when they did.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("The runbook is copied in the transaction of the declaration")
    titles = {phase.key: phase.title for phase in runbook.phases}
    steps = [
        _copy(incident, step, titles[step.phase], position, at) for position, step in enumerate(runbook.steps, start=1)
    ]
    return Step.objects.bulk_create(steps)


def _copy(incident: Incident, step: RunbookStep, phase_title: str, position: int, at: datetime) -> Step:
    return Step(
        incident=incident,
        key=step.id,
        position=position,
        number=step.number,
        phase=step.phase,
        phase_title=phase_title,
        title=step.title,
        instruction=step.instruction,
        role=step.role,
        scope=step.scope,
        depends_on=list(step.depends_on),
        due_at=at + step.target if step.target is not None else None,
        deadline_label=step.deadline_label,
        evidence_required=[{"key": rule.key, "label": rule.label} for rule in step.evidence],
        automation=step.automation,
        reversible_by=step.reversible_by,
        two_person=step.two_person,
        fact=step.fact,
        counted=step.counted,
        tiers=list(step.tiers),
    )

"""The whole checklist on paper: for the room where mail is off, and for the file."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.containment.queries import instructions, step_states
from runbooks.containment.views.rows import PhaseRows, Row, Wanted, Wording, phases
from runbooks.incidents.queries import incident_for
from runbooks.presentation import full_clock
from runbooks.timeline.operations import now


@dataclass(frozen=True, slots=True)
class PrintedStep:
    """A step with all that somebody without the portal needs to do it."""

    row: Row
    instruction: str
    evidence: list[str]
    after: str
    is_closed: bool


@dataclass(frozen=True, slots=True)
class PrintedPhase:
    phase: PhaseRows
    steps: list[PrintedStep]


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    states = step_states(incident, actor, at)
    by_key, texts = {state.line.key: state for state in states}, instructions(incident.pk)
    numbers = {state.line.key: state.line.number for state in states}
    printed = [
        PrintedPhase(
            phase,
            [
                PrintedStep(
                    row=row,
                    instruction=texts.get(row.key, ""),
                    evidence=[rule["label"] for rule in by_key[row.key].line.evidence_required],
                    after=", ".join(numbers[key] for key in by_key[row.key].line.depends_on if key in numbers),
                    is_closed=not by_key[row.key].is_open,
                )
                for row in phase.rows
            ],
        )
        for phase in phases(states, Wording(incident, actor, at, Wanted()))
    ]
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "steps",
        "printed": printed,
        "as_of": full_clock(at, incident.zone),
    }
    return render(request, "containment/checklist.html", context)

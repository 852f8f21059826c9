"""The whole checklist on paper: for the room where mail is off, and for the file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.containment.queries import StepState, StepText, step_states, step_texts
from runbooks.containment.views.markup import Mark
from runbooks.containment.views.rows import due_words, mark, owner_words
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import full_clock
from runbooks.timeline.operations import now


@dataclass(frozen=True, slots=True)
class PrintedStep:
    """A step with all that somebody without the portal needs to do it."""

    number: str
    title: str
    mark: Mark
    said: str
    """Owner, time, accounts, and what it comes after, in sentences."""
    text: StepText
    is_closed: bool


@dataclass(frozen=True, slots=True)
class PrintedPhase:
    key: str
    number: int
    title: str
    closed: int
    steps: Sequence[PrintedStep]


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "steps",
        "phases": _phases(step_states(incident, actor, at), incident, at),
        "as_of": full_clock(at, incident.zone),
    }
    return render(request, "containment/checklist.html", context)


def _phases(states: Sequence[StepState], incident: Incident, at: datetime) -> list[PrintedPhase]:
    texts = step_texts(incident.pk)
    numbers = {state.line.key: state.line.number for state in states}
    phases = []
    for number, (key, group) in enumerate(groupby(states, key=lambda state: state.line.phase), start=1):
        within = list(group)
        closed = sum(not state.is_open for state in within)
        steps = [_printed(state, texts, _said(state, incident, numbers, at)) for state in within]
        phases.append(PrintedPhase(key, number, within[0].line.phase_title, closed, steps))
    return phases


def _printed(state: StepState, texts: Mapping[str, StepText], said: str) -> PrintedStep:
    line = state.line
    return PrintedStep(line.number, line.title, mark(state), said, texts[line.key], line.is_closed)


def _said(state: StepState, incident: Incident, numbers: Mapping[str, str], at: datetime) -> str:
    line, progress = state.line, state.progress
    owner, role = owner_words(line)
    due, more, _ = due_words(state, at, incident.zone)
    sentences = [f"{owner} ({role})" if role else owner, f"{due}, {more}" if more else due]
    if state.is_open:
        sentences.insert(0, mark(state).word)
        if progress and progress.done is not None:
            sentences.append(f"{progress.done:,} of {progress.total:,} accounts")
        if after := [numbers[key] for key in line.depends_on if key in numbers]:
            sentences.append(f"After {', '.join(after)}")
        if line.two_person:
            sentences.append("Two people must agree")
    return ". ".join(sentences) + "."

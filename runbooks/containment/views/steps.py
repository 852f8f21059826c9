"""The steps of an incident: the checklist with its phases, and one step open."""

from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import can
from runbooks.containment.queries import count_states, step_states
from runbooks.containment.views.open_step import Refused, open_step
from runbooks.containment.views.rows import NOBODY, Wanted, Wording, owner_choices, phases, show_choices
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock
from runbooks.timeline.operations import now

NOTHING = {
    "all": "No step belongs to this owner.",
    "open": "No open step is among these.",
    "mine": "No open step is yours, or waits for a role you hold.",
    "overdue": "No step is overdue.",
    "blocked": "No step is blocked.",
}


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    incident = incident_for(actor_of(request), reference)
    return render_steps(request, incident, Wanted.read(request.GET), now())


def render_steps(
    request: PortalRequest,
    incident: Incident,
    wanted: Wanted,
    at: datetime,
    refused: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page as it stands; `refused` is what an operation just said no to, with the form as it was typed."""
    actor = actor_of(request)
    wording = Wording(incident, actor, at, wanted)
    states = step_states(incident, actor, at)
    roles, people = owner_choices(states, wanted)
    shown = phases(states, wording)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "steps",
        "wanted": wanted,
        "page": wording.page,
        "phases": shown,
        "nothing": "" if any(phase.rows for phase in shown) or not states else NOTHING[wanted.show],
        "opened": open_step(states, wording, refused) if wanted.opened else None,
        "shows": show_choices(count_states(states), wanted, wording.page),
        "roles": roles,
        "people": people,
        "nobody": NOBODY,
        "as_of": clock(at, wording.zone, at),
        "may_add": can(actor, "add_step") and not incident.is_over,
        "may_work": wording.may_work,
    }
    return render(request, "containment/steps.html", context, status=status)

"""The actions of an incident, newest first."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.actions.models import Action
from runbooks.incidents.queries import incident_for
from runbooks.timeline.operations import now


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    actions = Action.objects.filter(incident=incident).order_by("-number")[:50]
    context = {"incident": incident, "actor": actor, "now": at, "tab": "actions", "actions": actions}
    return render(request, "actions/list.html", context)

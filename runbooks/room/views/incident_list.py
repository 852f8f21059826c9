"""The incidents somebody is in."""

from typing import get_args

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import can
from runbooks.catalog.loader import all_runbooks
from runbooks.incidents.models import Incident
from runbooks.notifications.reachability import unreachable_count
from runbooks.room.queries.incident_list import ListFilter, Show, incident_list
from runbooks.timeline.operations import now


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    actor, at = actor_of(request), now()
    wanted = _filter(request)
    context = {
        "list": incident_list(actor, wanted, at),
        "filter": wanted,
        "severities": Incident.Severity.choices,
        "runbooks": [(runbook.slug, runbook.title) for runbook in all_runbooks()],
        "segments": [("all", "Open and closed"), ("running", "Active"), ("over", "Closed"), ("exercises", "Exercises")],
        "unreachable": unreachable_count() if can(actor, "view_reachability") else 0,
        "may_declare": can(actor, "declare_incident"),
        "actor": actor,
        "now": at,
    }
    return render(request, "room/incident_list.html", context)


def _filter(request: PortalRequest) -> ListFilter:
    """What the address asks for; nonsense in it counts as not asked."""
    asked = request.GET
    shows: tuple[Show, ...] = get_args(Show)
    show: Show = next((one for one in shows if one == asked.get("show")), "all")
    severity = asked.get("severity", "")
    return ListFilter(
        text=asked.get("q", "").strip()[:200],
        show=show,
        severity=int(severity) if severity in {"1", "2", "3", "4"} else None,
        runbook=asked.get("runbook", "")[:80],
        before=asked.get("before", "")[:20],
    )

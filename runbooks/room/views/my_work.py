"""What waits for one person, over all their incidents."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.presentation import clock, time_left
from runbooks.room.queries.work import PAGE, my_requests, my_work
from runbooks.timeline.operations import now


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    actor, at = actor_of(request), now()
    lines = [
        {
            "step": step,
            "due": clock(step.due_at, step.incident.zone, at) if step.due_at else "",
            "left": time_left(step.due_at, at) if step.due_at else "",
            "is_late": step.due_at is not None and step.due_at < at,
        }
        for step in my_work(actor)
    ]
    requests = [
        {
            "waiting": one,
            "left": time_left(one.action.expires_at, at) if one.action.expires_at else "",
        }
        for one in my_requests(actor)
    ]
    context = {"requests": requests, "lines": lines, "is_cut": len(lines) == PAGE, "actor": actor, "now": at}
    return render(request, "room/my_work.html", context)

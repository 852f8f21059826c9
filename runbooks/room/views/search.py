"""The search of the top bar."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.room.queries.search import search
from runbooks.timeline.operations import now

LEAST = 2


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    actor, at = actor_of(request), now()
    text = request.GET.get("q", "").strip()[:200]
    found = search(actor, text, at) if len(text) >= LEAST else None
    groups = (
        [("Incidents", found.incidents), ("Accounts", found.accounts), ("Timeline entries", found.entries)]
        if found
        else []
    )
    context = {"text": text, "found": found, "groups": groups, "actor": actor, "now": at}
    return render(request, "room/search.html", context)

"""The page of an action: approval."""

from django.http import HttpResponse
from django.shortcuts import render

from runbooks.access.http import PortalRequest
from runbooks.actions.views.seen import Seen


def show(request: PortalRequest, seen: Seen, *, status: int = 200) -> HttpResponse:
    context = {
        "incident": seen.incident,
        "actor": seen.actor,
        "now": seen.at,
        "tab": "actions",
        "action": seen.action,
    }
    return render(request, "actions/approval.html", context, status=status)

"""Asking a worker for an export: a small one is there within a second or two. And what is done with one then."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.exports.models import Export
from runbooks.exports.operations.asking import ask_export
from runbooks.exports.operations.requesting import Wish, cancel_export, retry_export
from runbooks.exports.views.list import show
from runbooks.incidents.queries import incident_for
from runbooks.timeline.operations import now


@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: PortalRequest, reference: str) -> HttpResponse:
    """What is refused comes back filled in; a page that stands here fetches itself, and is led to the list.

    Nothing is written here, in the session neither: the list says what was asked for.
    """
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    if request.method != "POST":
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        return HttpResponseRedirect(f"{reverse('exports', args=[incident.reference])}{query}")
    require(actor, "export_timeline", incident.pk)
    given = request.POST.dict()
    wish = Wish(
        given.get("format", ""),
        given.get("query", ""),
        given.get("order", "sequence"),
        {"bom": given.get("bom", "")},
        given.get("purpose", ""),
    )
    try:
        ask_export(incident_id=incident.pk, wish=wish, actor=actor, at=at)
    except (NotFoundError, NotAllowedError):
        raise
    except DomainError as error:
        return show(request, incident, at, given, str(error), status=error.status)
    return redirect("exports", incident.reference)


@require_POST
def cancel(request: PortalRequest, reference: str, export_number: int) -> HttpResponse:
    return _change(request, reference, export_number, cancel_export, "{} is cancelled.")


@require_POST
def retry(request: PortalRequest, reference: str, export_number: int) -> HttpResponse:
    return _change(request, reference, export_number, retry_export, "{} is being made again.")


def _change(
    request: PortalRequest, reference: str, export_number: int, operate: Callable[..., Export], said: str
) -> HttpResponse:
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    export = operate(incident_id=incident.pk, number=export_number, actor=actor, at=now())
    messages.success(request, said.format(export))
    return redirect("exports", incident.reference)

"""A new action."""

from django.http import Http404, HttpResponse

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.incidents.queries import incident_for


def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor = actor_of(request)
    require(actor, "request_action", incident_for(actor, reference).pk)
    raise Http404

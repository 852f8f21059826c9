"""What the forms about an action post to."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST

from runbooks.access.http import PortalRequest
from runbooks.actions.views.seen import see


@require_POST
def act(request: PortalRequest, reference: str, number: int, verb: str) -> HttpResponse:
    see(request, reference, number)
    raise Http404

"""The page of one action: its draft, the decision on it, or its run, by how far it is."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest
from runbooks.actions.models import Action
from runbooks.actions.views import approval, draft, run
from runbooks.actions.views.seen import Seen, see

Status = Action.Status


@require_safe
def page(request: PortalRequest, reference: str, number: int) -> HttpResponse:
    return show(request, see(request, reference, number))


def show(request: PortalRequest, seen: Seen, *, status: int = 200) -> HttpResponse:
    """Also with a form that was refused, and the status of its refusal."""
    action = seen.action
    if action.status == Status.AWAITING_APPROVAL:
        return approval.show(request, seen, status=status)
    if action.status == Status.DRAFT or (action.status == Status.CANCELLED and action.started_at is None):
        return draft.show(request, seen, status=status)
    return run.show(request, seen, status=status)

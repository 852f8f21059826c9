"""The files of an incident, newest first, and attaching one."""

from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import Actor, can, require
from runbooks.attachments.names import NAME_MAX, size_in_words
from runbooks.attachments.operations import attach_file
from runbooks.attachments.queries import GREATEST, attachments_of, downloads_of
from runbooks.attachments.views.forms import AttachForm
from runbooks.attachments.views.lines import line_of
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.timeline.operations import now


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    if request.method == "POST":
        return _attach(request, incident, actor, at)
    return _show(request, incident, actor, at)


def _attach(request: PortalRequest, incident: Incident, actor: Actor, at: datetime) -> HttpResponse:
    """Attach what was sent, then go to where it belongs; a refusal shows the form again with what was typed."""
    require(actor, "attach_file", incident.pk)
    form = AttachForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show(request, incident, actor, at, form, status=400)
    given = form.cleaned_data
    try:
        added = attach_file(
            incident_id=incident.pk,
            upload=given["upload"],
            note=given["note"],
            sequence=given["sequence"],
            actor=actor,
            at=at,
        )
    except (NotFoundError, NotAllowedError):
        raise
    except DomainError as error:
        form.add_error("upload", str(error))
        return _show(request, incident, actor, at, form, status=error.status)
    messages.success(request, f"File {added.number} is attached: {added.name}.")
    if added.sequence is not None:
        return redirect("timeline_entry", incident.reference, added.sequence)
    return redirect("attachment", incident.reference, added.number)


def _show(
    request: PortalRequest,
    incident: Incident,
    actor: Actor,
    at: datetime,
    form: AttachForm | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    name = request.GET.get("name", "").strip()[:NAME_MAX]
    before = whole_number(request.GET.get("before"))
    place = min(before, GREATEST) if before is not None else None
    found, following = attachments_of(incident.pk, before=place, name=name)
    downloads = downloads_of([one.pk for one in found])
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "files",
        "name": name,
        "lines": [line_of(one, incident, at, downloads.get(one.pk, 0)) for one in found],
        "next": following,
        "is_paged": place is not None,
        "form": (form or AttachForm()) if can(actor, "attach_file") else None,
        "most": size_in_words(settings.ATTACHMENT_MAX_BYTES),
        "may_see_readings": can(actor, "view_access_log"),
    }
    return render(request, "attachments/list.html", context, status=status)

"""One file: what it is, who had it in hand, taking it away, and its hold."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import Actor, can, require
from runbooks.access.reading_log import reader_of
from runbooks.attachments import operations
from runbooks.attachments.models import Attachment, CustodyEvent
from runbooks.attachments.queries import attachment_for, custody_of, downloads_of
from runbooks.attachments.sending import download as download_of
from runbooks.attachments.sending import without_bytes
from runbooks.attachments.views.forms import ReasonForm
from runbooks.attachments.views.lines import line_of
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock, full_clock
from runbooks.timeline.operations import now

Did = CustodyEvent.Kind
MARKS = {Did.ADDED: "clip", Did.READ: "export", Did.EXPORTED: "copy", Did.HELD: "lock", Did.RELEASED: "unlock"}
Operate = Callable[..., Attachment]


@require_safe
def page(request: PortalRequest, reference: str, file_number: int) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    return _show(request, incident, file_number, actor, at)


@require_safe
def download(request: PortalRequest, reference: str, file_number: int) -> HttpResponseBase:
    """The bytes, as an attachment and nothing else. It is written down before the first one goes out."""
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    require(actor, "view_incident", incident.pk)
    attachment = attachment_for(incident.pk, file_number)
    stored = attachment.stored
    if request.method == "HEAD":
        return without_bytes(attachment.name, stored.size, stored.sha256)

    def note() -> None:
        reader, at = reader_of(request), now()
        operations.note_download(incident_id=incident.pk, attachment_id=attachment.pk, reader=reader, at=at)
        request.is_reading_noted = True

    return download_of(request, stored.name, attachment.name, stored.sha256, note)


@require_POST
def hold(request: PortalRequest, reference: str, file_number: int) -> HttpResponse:
    return _decide(request, reference, file_number, operations.hold, "File {} is on hold.")


@require_POST
def release(request: PortalRequest, reference: str, file_number: int) -> HttpResponse:
    return _decide(request, reference, file_number, operations.release, "The hold of file {} is lifted.")


def _decide(request: PortalRequest, reference: str, file_number: int, operate: Operate, said: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "hold_attachment", incident.pk)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _show(request, incident, file_number, actor, at, form, status=400)
    reason = form.cleaned_data["reason"]
    try:
        operate(incident_id=incident.pk, number=file_number, reason=reason, actor=actor, at=at)
    except (NotFoundError, NotAllowedError):
        raise
    except DomainError as error:
        form.add_error(None, str(error))
        return _show(request, incident, file_number, actor, at, form, status=error.status)
    messages.success(request, said.format(file_number))
    return redirect("attachment", incident.reference, file_number)


def _show(
    request: PortalRequest,
    incident: Incident,
    file_number: int,
    actor: Actor,
    at: datetime,
    form: ReasonForm | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    attachment = attachment_for(incident.pk, file_number)
    place = whole_number(request.GET.get("before"))
    events, following = custody_of(attachment.pk, before=place)
    downloads = downloads_of([attachment.pk]).get(attachment.pk, 0)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "files",
        "file": line_of(attachment, incident, at, downloads),
        "custody": [_event(one, incident, at) for one in events],
        "next": following,
        "is_paged": place is not None,
        "form": (form or ReasonForm()) if can(actor, "hold_attachment") else None,
        "may_see_readings": can(actor, "view_access_log"),
    }
    return render(request, "attachments/file.html", context, status=status)


def _event(event: CustodyEvent, incident: Incident, at: datetime) -> dict[str, Any]:
    return {
        "icon": MARKS[Did(event.kind)],
        "what": event.get_kind_display(),
        "who": event.name,
        "when": clock(event.at, incident.zone, at),
        "when_full": full_clock(event.at, incident.zone),
        "note": event.note,
    }

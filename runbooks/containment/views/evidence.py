"""Taking away a file of evidence. It may be the attacker's own: it is handed over, never shown."""

from django.core.files.storage import default_storage
from django.http import FileResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.containment.queries import evidence_file
from runbooks.errors import NotFoundError
from runbooks.incidents.queries import incident_for


@require_safe
def download(request: PortalRequest, reference: str, key: str, evidence_id: int) -> HttpResponseBase:
    """Always as an attachment and as plain bytes, so that no browser draws, runs or guesses at it."""
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    require(actor, "view_incident", incident.pk)
    evidence = evidence_file(incident.pk, key, evidence_id)
    try:
        content = default_storage.open(str(evidence.file.name))
    except FileNotFoundError as error:
        raise NotFoundError("The file is not in the storage any more.") from error
    response = FileResponse(
        content, as_attachment=True, filename=evidence.file_name, content_type="application/octet-stream"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "private, no-store"
    return response

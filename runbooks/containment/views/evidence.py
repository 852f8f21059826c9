"""Taking away a file of evidence. It may be the attacker's own: it is handed over, never shown."""

from django.http import HttpResponseBase
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.models import AccessRecord
from runbooks.access.permissions import require
from runbooks.access.reading_log import note_reading, reader_of
from runbooks.attachments.operations import note_download
from runbooks.attachments.sending import download as download_of
from runbooks.attachments.sending import without_bytes
from runbooks.containment.queries import evidence_file
from runbooks.incidents.queries import incident_for
from runbooks.timeline.operations import now


@require_safe
def download(request: PortalRequest, reference: str, key: str, evidence_id: int) -> HttpResponseBase:
    """As any file of the incident, with the same custody log. Files from before there was one have the access log."""
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    require(actor, "view_incident", incident.pk)
    evidence = evidence_file(incident.pk, key, evidence_id)
    if request.method == "HEAD":
        return without_bytes(evidence.file_name, evidence.size or 0, evidence.sha256)
    attachment = evidence.attachment
    path = attachment.stored.name if attachment else str(evidence.file.name)

    def note() -> None:
        reader, at = reader_of(request), now()
        if attachment:
            note_download(incident_id=incident.pk, attachment_id=attachment.pk, reader=reader, at=at)
        else:
            subject = f"Evidence of step {evidence.step.number}: {evidence.file_name}"
            note_reading(reader=reader, incident_id=incident.pk, kind=AccessRecord.Kind.FILE, subject=subject, at=at)
        request.is_reading_noted = True

    return download_of(request, path, evidence.file_name, evidence.sha256, note)

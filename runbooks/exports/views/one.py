"""Taking an export away."""

from django.http import HttpResponseBase
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.access.reading_log import reader_of
from runbooks.attachments.sending import download as download_of
from runbooks.attachments.sending import without_bytes
from runbooks.exports.operations.downloading import note_download, ready_export
from runbooks.incidents.queries import incident_for
from runbooks.timeline.operations import now


@require_safe
def download(request: PortalRequest, reference: str, export_number: int) -> HttpResponseBase:
    """The file, as an attachment and nothing else. It is written down before the first byte goes out."""
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    require(actor, "export_timeline", incident.pk)
    export = ready_export(incident.pk, export_number)
    if request.method == "HEAD":
        return without_bytes(export.file_name, export.size or 0, export.sha256)

    def note() -> None:
        note_download(incident_id=incident.pk, number=export.number, reader=reader_of(request), at=now())
        request.is_reading_noted = True

    return download_of(request, export.file, export.file_name, export.sha256, note)

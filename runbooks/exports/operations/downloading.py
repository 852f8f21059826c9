"""Taking an export away: written down before the first byte goes out."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.models import AccessRecord
from runbooks.access.permissions import actor_for, require
from runbooks.access.reading_log import Reader, note_reading
from runbooks.exports.models import Download, Export
from runbooks.exports.operations.requesting import CannotExportError
from runbooks.exports.queries.list import export_for


def ready_export(incident_id: UUID, number: int) -> Export:
    """The export, whose file is there to be taken away. Raises NotFoundError and CannotExportError."""
    export = export_for(incident_id, number)
    if export.status != Export.Status.READY:
        raise CannotExportError(f"{export} is {export.get_status_display().lower()}: it has no file yet.")
    return export


@transaction.atomic
def note_download(*, incident_id: UUID, number: int, reader: Reader, at: datetime) -> Download:
    """Keep who takes the file away, among its downloads and in the log of who read what."""
    actor = actor_for(reader.user)
    require(actor, "export_timeline", incident_id)
    export = ready_export(incident_id, number)
    made = Download.objects.create(export=export, user=reader.user, name=actor.name[:160], at=at)
    subject = f"{export}: {export.file_name}"
    note_reading(reader=reader, incident_id=incident_id, kind=AccessRecord.Kind.EXPORT, subject=subject, at=at)
    return made

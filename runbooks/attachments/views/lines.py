"""A file in words, as lists and pages say it."""

from dataclasses import dataclass
from datetime import datetime

from runbooks.attachments.kinds import label_of, promised
from runbooks.attachments.models import Attachment
from runbooks.attachments.names import size_in_words
from runbooks.incidents.models import Incident
from runbooks.presentation import clock, full_clock, in_groups, number


@dataclass(frozen=True, slots=True)
class Line:
    """`hash` in groups of eight digits; `promised` is the kind its name promises where the content is another."""

    number: int
    name: str
    note: str
    kind: str
    promised: str
    size: str
    size_exact: str
    hash: list[str]
    added_by: str
    added: str
    added_full: str
    sequence: int | None
    held: str
    held_reason: str
    downloads: int


def line_of(attachment: Attachment, incident: Incident, at: datetime, downloads: int = 0) -> Line:
    stored = attachment.stored
    held = ""
    if attachment.held_at is not None:
        held = f"{attachment.held_by}, {clock(attachment.held_at, incident.zone, at)}"
    return Line(
        number=attachment.number,
        name=attachment.name,
        note=attachment.note,
        kind=label_of(stored.media_type),
        promised=promised(attachment.name, stored.media_type),
        size=size_in_words(stored.size),
        size_exact=f"{number(stored.size)} bytes",
        hash=in_groups(stored.sha256),
        added_by=attachment.added_by,
        added=clock(attachment.added_at, incident.zone, at),
        added_full=full_clock(attachment.added_at, incident.zone),
        sequence=attachment.sequence,
        held=held,
        held_reason=attachment.hold_reason,
        downloads=downloads,
    )

"""Reading the files of an incident, and whether their bytes are still those that came in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Count, Q

from runbooks.attachments.models import Attachment, CustodyEvent
from runbooks.attachments.storing import digest_of
from runbooks.errors import NotFoundError

PAGE: Final = 50
GREATEST: Final = 2**31 - 1
SOUND, DIFFERS, MISSING = "sound", "differs", "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the storage holds of a file: `state` is sound, differs or missing; `found` the SHA-256 it has now."""

    number: int
    name: str
    sha256: str
    state: str
    found: str = ""


def attachments_of(
    incident_id: UUID, *, before: int | None = None, name: str = "", limit: int = PAGE
) -> tuple[list[Attachment], int | None]:
    """(the newest files before that number, the number to go on before if more follow). `name` is a part of theirs."""
    rows = Attachment.objects.filter(incident_id=incident_id)
    if before is not None:
        rows = rows.filter(number__lt=before)
    if name:
        rows = rows.filter(name__icontains=name)
    found = list(rows.select_related("stored").order_by("-number")[: limit + 1])
    return found[:limit], found[limit - 1].number if len(found) > limit else None


def downloads_of(attachment_ids: list[int]) -> dict[int, int]:
    """{file: how often it was downloaded}; those that never were are left out."""
    if not attachment_ids:
        return {}
    read = CustodyEvent.objects.filter(attachment_id__in=attachment_ids, kind=CustodyEvent.Kind.READ)
    return dict(read.values_list("attachment_id").annotate(times=Count("pk")).order_by())


def attachment_for(incident_id: UUID, number: int) -> Attachment:
    """The file by its number in the incident; NotFoundError where there is none."""
    found = Attachment.objects.select_related("stored").filter(incident_id=incident_id, number=number).first()
    if found is None:
        raise NotFoundError(f"There is no file {number} in this incident.")
    return found


def custody_of(
    attachment_id: int, *, before: int | None = None, limit: int = PAGE
) -> tuple[list[CustodyEvent], int | None]:
    """(who had the file in hand, newest first; the id to go on before, if more follow)"""
    rows = CustodyEvent.objects.filter(attachment_id=attachment_id)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None


def attachments_of_entry(incident_id: UUID, sequence: int, number: int | None = None) -> list[Attachment]:
    """The files that belong to an entry, and the one it tells of, if it names one."""
    belongs = Q(sequence=sequence) | Q(number=number) if number is not None else Q(sequence=sequence)
    rows = Attachment.objects.select_related("stored").filter(belongs, incident_id=incident_id)
    return list(rows.order_by("number")[:PAGE])


def verify_attachments(incident_id: UUID) -> Iterator[Finding]:
    """Hash every file of the incident anew, in chunks, and say what the storage holds of it; by number.

    The same bytes under two numbers are read once.
    """
    known: dict[str, str] = {}
    rows = Attachment.objects.filter(incident_id=incident_id).order_by("number")
    for number, name, sha256, path in rows.values_list("number", "name", "stored__sha256", "stored__name"):
        if path not in known:
            known[path] = _found(path)
        found = known[path]
        state = SOUND if found == sha256 else DIFFERS if found else MISSING
        yield Finding(number, name, sha256, state, found)


def _found(path: str) -> str:
    try:
        return digest_of(path)[0]
    except FileNotFoundError:
        return ""

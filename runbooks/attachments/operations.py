"""Files of an incident: attached, read, put on hold. Whoever has one in hand is written down."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.files import File
from django.db import transaction
from django.db.models import Max

from runbooks.access.models import AccessRecord
from runbooks.access.permissions import Actor, actor_for, require
from runbooks.access.reading_log import Reader, note_reading
from runbooks.attachments.models import Attachment, CustodyEvent
from runbooks.attachments.names import size_in_words
from runbooks.attachments.storing import KeptFile, kept, stored_row
from runbooks.errors import DomainError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.timeline.models import Lane, TimelineEvent
from runbooks.timeline.operations import Entry, record

NOTE_MAX, REASON_MAX = 400, 400
Did = CustodyEvent.Kind


class BadAttachmentError(DomainError):
    """What was written about the file, or the entry it should go to, cannot be kept as it is."""

    status = 400


class CannotHoldError(DomainError):
    """The file is on hold already, or is not."""


def attach_file(
    *, incident_id: UUID, upload: "File[Any]", note: str = "", sequence: int | None = None, actor: Actor, at: datetime
) -> Attachment:
    """Keep the file and attach it. It is kept first, outside the transaction, and taken away again when it is refused:
    nobody waits for the incident's lock while 100 MB are written. Raises what `storing.kept` and `attach` raise.
    """
    require(actor, "attach_file", incident_id)
    with kept(upload) as stored:
        return attach(incident_id=incident_id, stored=stored, note=note, sequence=sequence, actor=actor, at=at)


@transaction.atomic
def attach(
    *, incident_id: UUID, stored: KeptFile, note: str = "", sequence: int | None = None, actor: Actor, at: datetime
) -> Attachment:
    """Attach a file that is in the storage, to an entry where one is named.

    Like an entry it needs no running incident: what comes to light after closing belongs into the record as well.
    """
    require(actor, "attach_file", incident_id)
    incident = lock(incident_id)
    note = _short_enough(note, "The note", NOTE_MAX)
    if sequence is not None and not TimelineEvent.objects.filter(incident=incident, sequence=sequence).exists():
        raise NotFoundError(f"There is no entry #{sequence} in this incident.")
    added = new_attachment(incident, stored, note=note, sequence=sequence, actor=actor, at=at)
    to = f" to #{sequence}" if sequence is not None else ""
    said = f"File {added.number} attached{to}: {added.name} ({size_in_words(stored.size)}, SHA-256 {stored.sha256})"
    details = {**facts(added), "note": note, "entry": sequence}
    record(incident, Entry("file.attached", said, Lane.ACTION, details), actor=actor, at=at)
    return added


def new_attachment(
    incident: Incident, stored: KeptFile, *, note: str, sequence: int | None, actor: Actor, at: datetime
) -> Attachment:
    """The rows of a file that is attached, for the operation that locked the incident and records the entry."""
    newest = Attachment.objects.filter(incident=incident).aggregate(Max("number"))["number__max"] or 0
    added = Attachment.objects.create(
        incident=incident,
        stored=stored_row(stored, at),
        number=newest + 1,
        name=stored.name,
        note=note[:NOTE_MAX],
        sequence=sequence,
        added_by=actor.name,
        adder_id=actor.user_id,
        added_at=at,
    )
    _write_down(added, Did.ADDED, actor, at)
    return added


def facts(attachment: Attachment) -> dict[str, object]:
    """What an entry says of the file."""
    stored = attachment.stored
    return {
        "file": attachment.number,
        "name": attachment.name,
        "size": stored.size,
        "sha256": stored.sha256,
        "media_type": stored.media_type,
    }


@transaction.atomic
def note_download(*, incident_id: UUID, attachment_id: int, reader: Reader, at: datetime) -> None:
    """Write down, before the first byte goes out, that this person takes the file away."""
    actor = actor_for(reader.user)
    require(actor, "view_incident", incident_id)
    attachment = Attachment.objects.filter(incident_id=incident_id, pk=attachment_id).first()
    if attachment is None:
        raise NotFoundError("There is no such file in this incident.")
    _write_down(attachment, Did.READ, actor, at)
    subject = f"File {attachment.number}: {attachment.name}"
    note_reading(reader=reader, incident_id=incident_id, kind=AccessRecord.Kind.FILE, subject=subject, at=at)


@transaction.atomic
def hold(*, incident_id: UUID, number: int, reason: str, actor: Actor, at: datetime) -> Attachment:
    """Say that this file must be kept, whatever the rules on keeping say; with the reason."""
    require(actor, "hold_attachment", incident_id)
    incident, attachment = _locked(incident_id, number)
    if attachment.held_at is not None:
        raise CannotHoldError(f"File {number} is on hold already, by {attachment.held_by}.")
    reason = _checked_reason(reason, "the file must be kept")
    attachment.held_at, attachment.held_by, attachment.hold_reason = at, actor.name, reason
    attachment.save(update_fields=["held_at", "held_by", "hold_reason"])
    _write_down(attachment, Did.HELD, actor, at, reason)
    said = f"File {number} put on hold: {attachment.name}. {reason}"
    details = {**facts(attachment), "reason": reason}
    record(incident, Entry("file.held", said, Lane.DECISION, details), actor=actor, at=at)
    return attachment


@transaction.atomic
def release(*, incident_id: UUID, number: int, reason: str, actor: Actor, at: datetime) -> Attachment:
    """Lift the hold, with the reason. Why there was one stays in the timeline and in the custody log."""
    require(actor, "hold_attachment", incident_id)
    incident, attachment = _locked(incident_id, number)
    if attachment.held_at is None:
        raise CannotHoldError(f"File {number} is not on hold.")
    reason = _checked_reason(reason, "the hold is lifted")
    attachment.held_at, attachment.held_by, attachment.hold_reason = None, "", ""
    attachment.save(update_fields=["held_at", "held_by", "hold_reason"])
    _write_down(attachment, Did.RELEASED, actor, at, reason)
    said = f"Hold of file {number} lifted: {attachment.name}. {reason}"
    details = {**facts(attachment), "reason": reason}
    record(incident, Entry("file.released", said, Lane.DECISION, details), actor=actor, at=at)
    return attachment


def _locked(incident_id: UUID, number: int) -> tuple[Incident, Attachment]:
    incident = lock(incident_id)
    rows = Attachment.objects.select_for_update(of=("self",)).select_related("stored")
    attachment = rows.filter(incident=incident, number=number).first()
    if attachment is None:
        raise NotFoundError(f"There is no file {number} in this incident.")
    return incident, attachment


def _write_down(attachment: Attachment, kind: str, actor: Actor, at: datetime, note: str = "") -> None:
    CustodyEvent.objects.create(
        attachment=attachment, kind=kind, user_id=actor.user_id, name=actor.name[:160], at=at, note=note
    )


def _checked_reason(reason: str, purpose: str) -> str:
    reason = _short_enough(reason, "The reason", REASON_MAX)
    if not reason:
        raise BadAttachmentError(f"Say why {purpose}: others will ask.")
    return reason


def _short_enough(text: str, name: str, longest: int) -> str:
    text = text.strip()
    if len(text) > longest:
        raise BadAttachmentError(f"{name} has {len(text):,} characters. Keep it to {longest:,}.")
    if "\0" in text:
        raise BadAttachmentError(f"{name} holds a NUL character. Remove it.")
    return text

"""What speaks for a step: notes, links and files. Rows are only added; a wrong one is withdrawn with a reason."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.files import File
from django.core.validators import URLValidator
from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.attachments.names import size_in_words
from runbooks.attachments.operations import new_attachment
from runbooks.attachments.storing import KeptFile, kept
from runbooks.containment.models import Evidence, Step
from runbooks.containment.operations.locking import lock_step, step_entry
from runbooks.containment.operations.refusals import BadStepError, StepClosedError, checked_reason, short_enough
from runbooks.errors import NotFoundError
from runbooks.incidents.operations import lock_running
from runbooks.timeline.operations import record

Kind = Evidence.Kind
NOTE_MAX, URL_MAX, SAID_MAX = 4000, 1000, 160
is_web_address = URLValidator(schemes=["http", "https"])


@dataclass(frozen=True, slots=True)
class NewEvidence:
    """What somebody hands in: a note, a link with or without a note, or a file with or without one.

    `requirement` is the key of the step's rule that it satisfies, empty when it only adds to the picture.
    """

    kind: str
    requirement: str = ""
    note: str = ""
    url: str = ""
    upload: "File[Any] | None" = None


def add_evidence(*, incident_id: UUID, key: str, evidence: NewEvidence, actor: Actor, at: datetime) -> Evidence:
    """Attach evidence to a step, closed or not. A file is kept first, outside the transaction, and taken away again
    when it is refused: nobody waits for the incident's lock while 100 MB are written."""
    require(actor, "work_steps", incident_id)
    evidence = _checked(evidence)
    where: dict[str, Any] = {"incident_id": incident_id, "key": key, "evidence": evidence, "actor": actor, "at": at}
    if evidence.upload is None:
        return _attach(**where, stored=None)
    with kept(evidence.upload) as stored:
        return _attach(**where, stored=stored)


@transaction.atomic
def _attach(
    *, incident_id: UUID, key: str, evidence: NewEvidence, stored: KeptFile | None, actor: Actor, at: datetime
) -> Evidence:
    require(actor, "work_steps", incident_id)
    incident = lock_running(incident_id)
    step = lock_step(incident_id, key)
    label = _label(step, evidence.requirement)
    added = Evidence(
        step=step,
        kind=evidence.kind,
        requirement=evidence.requirement,
        note=evidence.note,
        url=evidence.url,
        added_by=actor.name,
        added_at=at,
    )
    details: dict[str, object] = {"requirement": label}
    if stored:
        # A file of the incident as any other, which belongs to the entry that comes next.
        note, following = evidence.note, incident.head_sequence + 1
        file = new_attachment(incident, stored, note=note, sequence=following, actor=actor, at=at)
        added.file.name = file.stored.name
        added.file_name, added.size, added.sha256 = stored.name, stored.size, stored.sha256
        added.attachment, details["file"] = file, file.number
    added.save()
    said = f"evidence added, {_said(added)}"
    record(incident, step_entry(step, "evidence_added", said, {**details, **_details(added)}), actor=actor, at=at)
    return added


@transaction.atomic
def withdraw_evidence(
    *, incident_id: UUID, key: str, evidence_id: int, reason: str, actor: Actor, at: datetime
) -> Evidence:
    """Say that a piece of evidence does not count. It stays to be seen, struck through, with the reason."""
    require(actor, "work_steps", incident_id)
    incident = lock_running(incident_id)
    step = lock_step(incident_id, key)
    evidence = Evidence.objects.select_for_update().filter(step=step, pk=evidence_id).first()
    if evidence is None:
        raise NotFoundError("There is no such evidence on this step.")
    if evidence.withdrawn_at is not None:
        raise BadStepError("This evidence is withdrawn already.")
    if step.status == Step.Status.SUCCEEDED and _is_needed(step, evidence):
        raise StepClosedError(f"Step {step.number} was completed on this evidence. Reopen the step, then withdraw it.")
    reason = checked_reason(reason, "the evidence does not count")
    evidence.withdrawn_at, evidence.withdrawn_by, evidence.withdrawn_reason = at, actor.name, reason
    evidence.save(update_fields=["withdrawn_at", "withdrawn_by", "withdrawn_reason"])
    said = f"evidence withdrawn, {_said(evidence)}. {reason}"
    entry = step_entry(step, "evidence_withdrawn", said, {"reason": reason, **_details(evidence)})
    record(incident, entry, actor=actor, at=at)
    return evidence


def _checked(evidence: NewEvidence) -> NewEvidence:
    """What is handed in, trimmed, with only what its kind has."""
    note = short_enough(evidence.note.strip(), "The note", NOTE_MAX)
    if evidence.kind == Kind.NOTE:
        if not note:
            raise BadStepError("The note is empty. Write what was found, when and by whom.")
        return NewEvidence(Kind.NOTE, evidence.requirement, note)
    if evidence.kind == Kind.LINK:
        return NewEvidence(Kind.LINK, evidence.requirement, note, _web_address(evidence.url.strip()))
    if evidence.kind == Kind.FILE:
        if evidence.upload is None:
            raise BadStepError("No file came with it. Choose the file to add.")
        return NewEvidence(Kind.FILE, evidence.requirement, note, upload=evidence.upload)
    raise BadStepError("Evidence is a note, a link or a file.")


def _web_address(url: str) -> str:
    short_enough(url, "The link", URL_MAX)
    try:
        is_web_address(url)
    except ValidationError as error:
        raise BadStepError("The link must be a whole web address that begins with https:// or http://.") from error
    if urlsplit(url).username is not None:
        raise BadStepError("The link holds a user name or a password. Take it out: everybody here can read it.")
    return url


def _label(step: Step, requirement: str) -> str:
    labels: dict[str, str] = {rule["key"]: rule["label"] for rule in step.evidence_required}
    if requirement and requirement not in labels:
        raise BadStepError("The step does not ask for this evidence. Choose one of its lines.")
    return labels.get(requirement, "")


def _is_needed(step: Step, evidence: Evidence) -> bool:
    """Whether a rule of the step rests on this piece alone."""
    if evidence.requirement not in {rule["key"] for rule in step.evidence_required}:
        return False
    same = Evidence.objects.filter(step=step, requirement=evidence.requirement, withdrawn_at__isnull=True)
    return not same.exclude(pk=evidence.pk).exists()


def _said(evidence: Evidence) -> str:
    if evidence.kind == Kind.FILE:
        return f"file {evidence.file_name} ({size_in_words(evidence.size or 0)}, SHA-256 {evidence.sha256[:12]}…)"
    words = f"link {evidence.url}" if evidence.kind == Kind.LINK else f"note “{evidence.note}”"
    return words if len(words) <= SAID_MAX else f"{words[:SAID_MAX]}…"


def _details(evidence: Evidence) -> dict[str, object]:
    details: dict[str, object] = {"evidence": evidence.pk, "kind": evidence.kind, "note": evidence.note}
    if evidence.kind == Kind.LINK:
        details["url"] = evidence.url
    if evidence.kind == Kind.FILE:
        details |= {"file_name": evidence.file_name, "size": evidence.size, "sha256": evidence.sha256}
    return details

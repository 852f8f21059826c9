"""Asking for an export: what it is to hold and up to where, as a row and an entry, before anything is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Max

from runbooks.access.permissions import IN_INCIDENT, Actor, require
from runbooks.background import wake
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.exports import keys
from runbooks.exports.formats import FORMATS
from runbooks.exports.keys import NoKeyError
from runbooks.exports.models import Checkpoint, Export
from runbooks.exports.operations.checkpoints import make_checkpoint
from runbooks.exports.queries.asked import asked, in_words, narrowing
from runbooks.exports.queries.entries import ORDERS, Entries
from runbooks.exports.queries.list import OPEN
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.presentation import number, plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record

PURPOSE_MAX: Final = 200
Status = Export.Status


class CannotExportError(DomainError):
    """What was asked for cannot be made, or is not in the state that this needs."""

    status = 400


@dataclass(frozen=True, slots=True)
class Wish:
    """`query` is the timeline page's; of it counts what narrows. `options` are the format's own."""

    format: str
    query: str | Mapping[str, str] = ""
    order: str = "sequence"
    options: Mapping[str, Any] = field(default_factory=dict)
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class _Range:
    """Up to where, and how much of it; `said` is the filter in words."""

    filter: dict[str, str]
    said: str
    sequence: int
    hash: str
    checkpoint: Checkpoint | None
    entries: int


def request_export(
    *, incident_id: UUID, wish: Wish, actor: Actor, at: datetime, export_id: UUID | None = None
) -> Export:
    """Take the wish down, with the head of the chain as it is now; signed, where there is a key to sign with. Whoever
    asked so makes it after the commit. With an `export_id`, what was taken down before under it is given back.

    Counting and signing come before the lock: nobody waits for them. Raises CannotExportError, UnreadableFilterError,
    and NoKeyError for a format that is signed.
    """
    require(actor, "export_timeline", incident_id)
    purpose = checked(wish)
    range_ = _range(incident_id, wish, at)
    return _take_down(incident_id, wish, purpose, range_, export_id or uuid4(), actor, at)


def checked(wish: Wish) -> str:
    """The purpose. Refuses what no export can be made of, whatever the incident."""
    if wish.format not in FORMATS:
        raise CannotExportError(f"There is no format {wish.format}. Choose one of {', '.join(FORMATS)}.")
    if wish.order not in ORDERS:
        raise CannotExportError(f"There is no order {wish.order}. Choose {' or '.join(ORDERS)}.")
    if FORMATS[wish.format].is_signed:
        keys.held()
    purpose = " ".join(wish.purpose.split())
    if len(purpose) > PURPOSE_MAX or "\0" in purpose:
        raise CannotExportError(f"Say what it is for in at most {PURPOSE_MAX} characters.")
    return purpose


def _range(incident_id: UUID, wish: Wish, at: datetime) -> _Range:
    checkpoint = _checkpoint(incident_id, at)
    incident = Incident.objects.get(pk=incident_id)
    narrowed = narrowing(wish.query)
    found = asked(incident, narrowed, at)
    head = (checkpoint.sequence, checkpoint.hash) if checkpoint else (incident.head_sequence, incident.head_hash)
    entries = Entries(incident_id, found.filter, head[0]).count() if narrowed else head[0]
    return _Range(narrowed, in_words(incident, narrowed, found), *head, checkpoint, entries)


def _checkpoint(incident_id: UUID, at: datetime) -> Checkpoint | None:
    try:
        return make_checkpoint(incident_id=incident_id, reason=Checkpoint.Reason.EXPORT, at=at)
    except NoKeyError:
        return None


@transaction.atomic
def _take_down(
    incident_id: UUID, wish: Wish, purpose: str, range_: _Range, export_id: UUID, actor: Actor, at: datetime
) -> Export:
    require(actor, "export_timeline", incident_id)
    incident = lock(incident_id)
    if there := Export.objects.filter(pk=export_id, incident=incident).first():
        return there
    newest = Export.objects.filter(incident=incident).aggregate(Max("number"))["number__max"] or 0
    one = FORMATS[wish.format]
    options = {name: bool(value) for name, value in wish.options.items() if name in one.options}
    export = Export.objects.create(
        pk=export_id,
        incident=incident,
        number=newest + 1,
        format=one.slug,
        options={**options, "order": wish.order, "said": range_.said},
        filter=range_.filter,
        purpose=purpose,
        requester_id=actor.user_id,
        requested_by=actor.name,
        requested_at=at,
        head_sequence=range_.sequence,
        head_hash=range_.hash,
        checkpoint=range_.checkpoint,
        entries=range_.entries,
        left_out=range_.sequence - range_.entries,
    )
    said = f"{export} asked for: {one.label}, #1 to #{number(range_.sequence)}"
    said += f", {range_.said} ({plural(range_.entries, 'entry', 'entries')})" if range_.filter else ""
    said += f". For: {purpose}" if purpose else ""
    record(incident, Entry("export.requested", said, Lane.ACTION, facts(export)), actor=actor, at=at)
    return export


def facts(export: Export) -> dict[str, Any]:
    """What entries say of an export."""
    return {
        "export": export.number,
        "format": export.format,
        "filter": export.filter,
        "order": export.options.get("order", "sequence"),
        "purpose": export.purpose,
        "head": {"sequence": export.head_sequence, "hash": export.head_hash},
    }


@transaction.atomic
def cancel_export(*, incident_id: UUID, number: int, actor: Actor, at: datetime) -> Export:
    """Stop an export that is not ready. Whoever asked for it may, and those who lead; auditors write nothing."""
    require(actor, "control_export", incident_id)
    incident, export = locked(incident_id, number)
    if export.requester_id != actor.user_id and actor.role not in IN_INCIDENT["change_status"] | {None}:
        raise NotAllowedError(f"{export.requested_by} asked for {export}. They can cancel it, and coordinators.")
    if export.status not in OPEN:
        raise CannotExportError(f"{export} is {export.get_status_display().lower()}: there is nothing to cancel.")
    export.status, export.token, export.lease_until, export.ended_at = Status.CANCELLED, None, None, at
    export.save(update_fields=["status", "token", "lease_until", "ended_at"])
    entry = Entry("export.cancelled", f"{export} cancelled", Lane.ACTION, {"export": export.number})
    record(incident, entry, actor=actor, at=at)
    return export


@transaction.atomic
def retry_export(*, incident_id: UUID, number: int, actor: Actor, at: datetime) -> Export:
    """Make an export that failed or was cancelled again, of the same range."""
    require(actor, "control_export", incident_id)
    incident, export = locked(incident_id, number)
    if export.status not in {Status.FAILED, Status.CANCELLED}:
        raise CannotExportError(f"{export} is {export.get_status_display().lower()}: there is nothing to try again.")
    export.status, export.attempts, export.done, export.reason, export.ended_at = Status.WAITING, 0, 0, "", None
    export.save(update_fields=["status", "attempts", "done", "reason", "ended_at"])
    entry = Entry("export.retried", f"{export} asked for again", Lane.ACTION, facts(export))
    record(incident, entry, actor=actor, at=at)
    wake("exports.make", export_id=str(export.pk))
    return export


def locked(incident_id: UUID, number: int) -> tuple[Incident, Export]:
    """The incident first, then its export. Raises NotFoundError."""
    incident = lock(incident_id)
    export = Export.objects.select_for_update().filter(incident=incident, number=number).first()
    if export is None:
        raise NotFoundError(f"There is no export {number} in this incident.")
    return incident, export

"""Making an export: claim (transaction), write and store outside of any lock, note what came of it (transaction).

A worker holds an export by a token and a lease, which it renews while it writes. One that died is begun again after the
lease; one that was slow or cancelled finds its token gone, writes no more and takes its file away.
"""

import hashlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Final, cast
from uuid import UUID, uuid4

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection, transaction

from runbooks.access.permissions import Actor
from runbooks.attachments.models import Attachment, CustodyEvent
from runbooks.errors import DomainError
from runbooks.exports import keys
from runbooks.exports.formats import FORMATS, About, IncidentFacts, Source
from runbooks.exports.models import Export
from runbooks.exports.operations.requesting import facts, locked
from runbooks.exports.queries.asked import asked, in_words
from runbooks.exports.queries.entries import Entries, snapshot
from runbooks.incidents.models import Incident
from runbooks.presentation import number, plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record

logger = logging.getLogger(__name__)
ROOT: Final = "exports"
LEASE: Final = timedelta(minutes=5)
ATTEMPTS: Final = 3
# How often a writer says how far it is, in seconds.
TELL_EACH: Final = 1.0
STOPPED: Final = "The worker stopped each time before it was done. Ask an administrator what the worker's log says."
RENEW: Final = """
UPDATE runbooks_export SET done = %s, lease_until = now() + make_interval(secs => %s)
WHERE id = %s AND token = %s AND status = 'running'
"""
Status = Export.Status
Tell = Callable[[int], None]


class TurnLostError(Exception):
    """Somebody cancelled the export, or another worker has it."""


@dataclass(slots=True)
class _Out:
    """A stream that is only written to; knows size and hash of all that went through."""

    file: BinaryIO
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def write(self, part: bytes) -> int:
        self.file.write(part)
        self.digest.update(part)
        self.size += len(part)
        return len(part)

    def flush(self) -> None:
        self.file.flush()


@dataclass(frozen=True, slots=True)
class _Made:
    """What was written, and where it is."""

    path: str
    size: int
    sha256: str
    about: About
    files: frozenset[int]


def make_export(*, export_id: UUID, clock: Callable[[], datetime], watched: bool = False) -> Export | None:
    """Make it, unless somebody else does or it was cancelled: then None. What failed says so in its row.

    `watched` tells pages how far it is and hears of a cancellation, by a connection of its own.
    """
    export = _claim(export_id, clock())
    if export is None:
        return None
    try:
        with _teller(export, watched) as tell:
            made = _make(export, tell)
    except TurnLostError:
        return None
    except (DomainError, DatabaseError, OSError, ValueError) as error:
        logger.warning("%s of %s failed", export, export.incident_id, exc_info=error)
        return _fail(export, _reason(error), clock())
    return _finish(export, made, clock())


def _reason(error: Exception) -> str:
    if isinstance(error, DomainError):
        return str(error)[:400]
    if isinstance(error, FileNotFoundError):
        return "A file of the incident is not in the storage any more. Tell the auditors."
    if isinstance(error, OSError):
        return f"It could not be written: {(error.strerror or 'no reason').lower()}. Then try again."[:400]
    return f"It could not be put together ({type(error).__name__}). The worker's log says more."


@transaction.atomic
def _claim(export_id: UUID, at: datetime) -> Export | None:
    """Hold it, where nobody does or whoever did is late; what a dead one had stored goes."""
    export = Export.objects.select_for_update().filter(pk=export_id).first()
    if export is None or not (export.status == Status.WAITING or _is_left(export, at)):
        return None
    if export.token is not None:
        default_storage.delete(_path(export))
    if export.attempts >= ATTEMPTS:
        export.status, export.token, export.lease_until, export.ended_at = Status.FAILED, None, None, at
        export.reason = STOPPED
        export.save(update_fields=["status", "token", "lease_until", "ended_at", "reason"])
        return None
    export.status, export.token, export.lease_until, export.done = Status.RUNNING, uuid4(), at + LEASE, 0
    export.attempts += 1
    export.save(update_fields=["status", "token", "lease_until", "done", "attempts"])
    return export


def _is_left(export: Export, at: datetime) -> bool:
    return export.status == Status.RUNNING and (export.lease_until is None or export.lease_until < at)


def _path(export: Export) -> str:
    """A name for each turn: one that was lost may still be writing."""
    return f"{ROOT}/{export.pk}/{export.token}"


@contextmanager
def _teller(export: Export, watched: bool) -> Iterator[Tell]:
    """Says how far it is, and raises TurnLostError where the turn is lost. The entries come by the other connection."""
    if not watched:
        yield lambda done: None
        return
    beside = connection.copy()
    told = time.monotonic()

    def tell(done: int) -> None:
        nonlocal told
        if time.monotonic() - told < TELL_EACH:
            return
        told = time.monotonic()
        with beside.cursor() as cursor:
            cursor.execute(RENEW, [done, LEASE.total_seconds(), export.pk, export.token])
            if not cursor.rowcount:
                raise TurnLostError

    try:
        yield tell
    finally:
        beside.close()


def _make(export: Export, tell: Tell) -> _Made:
    one = FORMATS[export.format]
    held = keys.held() if one.is_signed else None
    incident = Incident.objects.get(pk=export.incident_id)
    with tempfile.NamedTemporaryFile() as kept:
        out = _Out(cast(BinaryIO, kept))
        with snapshot(incident.time_zone):
            source = Source(*about_of(export, incident), options=export.options, held=held, tell=tell)
            try:
                one.write(cast(BinaryIO, out), source)
            finally:
                source.close()
            files = frozenset(source.entries.files()) if one.holds_files else frozenset[int]()
        export.key = held.key if held else None
        kept.flush()
        kept.seek(0)
        path = default_storage.save(_path(export), File(kept))
    return _Made(path, out.size, out.digest.hexdigest(), source.about, files)


def about_of(export: Export, incident: Incident) -> tuple[About, Entries]:
    """Read within the snapshot: what the file says of itself is true of what is in it."""
    found = asked(incident, export.filter, export.requested_at)
    order = str(export.options.get("order", "sequence"))
    entries = Entries(incident.pk, found.filter, export.head_sequence, order)
    shown = entries.count()
    about = About(
        number=str(export),
        incident=_facts_of(incident),
        filter=export.filter,
        filter_words=in_words(incident, export.filter, found),
        order=order,
        entries=shown,
        left_out=export.head_sequence - shown,
        head_sequence=export.head_sequence,
        head_hash=export.head_hash,
        exported_at=export.requested_at,
        exported_by=export.requested_by,
        purpose=export.purpose,
    )
    return about, entries


def _facts_of(incident: Incident) -> IncidentFacts:
    return IncidentFacts(
        id=incident.pk,
        reference=incident.reference,
        title=incident.title,
        severity=incident.severity,
        severity_label=incident.get_severity_display(),
        tlp=incident.tlp,
        status=incident.status,
        status_label=incident.get_status_display(),
        is_exercise=incident.is_exercise,
        detected_at=incident.detected_at,
        declared_at=incident.declared_at,
        contained_at=incident.contained_at,
        closed_at=incident.closed_at,
        time_zone=incident.time_zone,
    )


def _finish(export: Export, made: _Made, at: datetime) -> Export | None:
    """Note what was made. A worker that lost its turn takes its file away instead."""
    try:
        return _note(export, made, at)
    except TurnLostError:
        default_storage.delete(made.path)
        return None
    except BaseException:
        default_storage.delete(made.path)
        raise


@transaction.atomic
def _note(export: Export, made: _Made, at: datetime) -> Export:
    incident, held = locked(export.incident_id, export.number)
    if held.token != export.token or held.status != Status.RUNNING:
        raise TurnLostError
    one, about = FORMATS[held.format], made.about
    held.status, held.token, held.lease_until, held.ended_at, held.reason = Status.READY, None, None, at, ""
    held.file, held.size, held.sha256, held.media_type = made.path, made.size, made.sha256, one.media_type
    held.file_name = file_name(held, incident)
    held.entries, held.left_out, held.done, held.key = about.entries, about.left_out, about.entries, export.key
    held.save()
    actor = Actor(held.requested_by, held.requester_id)
    _write_down(made.files, held, actor, at)
    said = (
        f"{held} made: {one.label}, {plural(about.entries, 'entry', 'entries')} of {about.range}, "
        f"{number(about.left_out)} left out. SHA-256 {made.sha256}"
    )
    details = {
        **facts(held),
        "file_name": held.file_name,
        "size": made.size,
        "sha256": made.sha256,
        "entries": about.entries,
        "left_out": about.left_out,
        "signed_by": held.key.fingerprint if held.key else None,
    }
    record(incident, Entry("export.made", said, Lane.ACTION, details), actor=actor, at=at)
    return held


def file_name(export: Export, incident: Incident) -> str:
    """Such as IR-2026-0001-EX-03-filtered.csv: that something is missing is said by the name already."""
    filtered = "-filtered" if export.filter else ""
    return f"{incident.reference}-{export}{filtered}{FORMATS[export.format].suffix}"


def _write_down(files: frozenset[int], export: Export, actor: Actor, at: datetime) -> None:
    """Each attachment that went into a bundle has it in its custody log."""
    rows = Attachment.objects.filter(incident=export.incident_id, number__in=files).values_list("pk", flat=True)
    CustodyEvent.objects.bulk_create(
        CustodyEvent(
            attachment_id=pk, kind=CustodyEvent.Kind.EXPORTED, user_id=actor.user_id, name=actor.name[:160], at=at,
            note=str(export),
        )
        for pk in rows
    )  # fmt: skip


@transaction.atomic
def _fail(export: Export, reason: str, at: datetime) -> Export | None:
    incident, held = locked(export.incident_id, export.number)
    if held.token != export.token or held.status != Status.RUNNING:
        return None
    held.status, held.token, held.lease_until, held.ended_at = Status.FAILED, None, None, at
    held.reason = reason
    held.save(update_fields=["status", "token", "lease_until", "ended_at", "reason"])
    details = {"export": held.number, "reason": reason}
    entry = Entry("export.failed", f"{held} was not made: {reason}", Lane.ACTION, details)
    record(incident, entry, actor=Actor(held.requested_by, held.requester_id), at=at)
    return held

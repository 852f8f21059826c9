"""Appending to the timeline. Nothing else writes it, and a trigger refuses to change it."""

import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from runbooks.access.permissions import Actor
from runbooks.errors import DomainError
from runbooks.prepared import prepared
from runbooks.timeline.models import Lane, Precision, TimelineEvent
from runbooks.timeline.seal import commitment, digest, make_record

BIN = timedelta(minutes=15)
# Automated entries of one kind that follow each other within this time are shown as one line.
BURST_GAP = timedelta(minutes=15)
SUMMARY_MAX = 4000
NEWEST = "SELECT kind, actor, burst, recorded_at FROM runbooks_timelineevent WHERE incident_id = %s AND sequence = %s"
FIELDS: list[Any] = [
    field for field in TimelineEvent._meta.local_concrete_fields if not (field.primary_key or field.generated)
]
COLUMNS = ", ".join(field.column for field in FIELDS)
# Entries, in one statement with all that goes with them. It is the same for any number, so that it is planned once, and
# for nine thousand as fast as COPY.
WHOLE = """
WITH event AS (
    INSERT INTO runbooks_timelineevent ({columns})
    SELECT {columns} FROM jsonb_to_recordset(%(events)s::jsonb) AS one({typed}) RETURNING id, sequence
), head AS (
    UPDATE runbooks_incident SET head_sequence = %(sequence)s, head_hash = %(hash)s WHERE id = %(incident)s
), counted AS (
    INSERT INTO runbooks_timelinebin AS bin (incident_id, starts_at, lane, entries)
    SELECT %(incident)s, starts_at, lane, entries
    FROM jsonb_to_recordset(%(bins)s::jsonb) AS one(starts_at timestamptz, lane text, entries bigint)
    ON CONFLICT (incident_id, starts_at, lane) DO UPDATE SET entries = bin.entries + EXCLUDED.entries
)
SELECT ARRAY(SELECT id FROM event ORDER BY sequence), pg_notify('timeline', %(word)s)
"""
STATEMENT = WHOLE.format(
    columns=COLUMNS, typed=", ".join(f"{field.column} {field.db_type(connection)}" for field in FIELDS)
)


class Chained(Protocol):
    """An incident whose row the caller has locked (`select_for_update`)."""

    id: UUID
    head_sequence: int
    head_hash: str


class BadEntryError(DomainError):
    """The entry cannot be kept as it is."""

    status = 400


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded: `kind` is noun.verb_past, `details` holds JSON without floats."""

    kind: str
    summary: str
    lane: Lane = Lane.ACTION
    details: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None
    precision: Precision = Precision.SECOND
    corrects: int | None = None
    step_id: int | None = None
    account_ids: Sequence[int] = ()


def record(incident: Chained, entry: Entry, *, actor: Actor, at: datetime) -> TimelineEvent:
    """Append one entry, in the transaction of the change it tells of. `at` is when it is recorded.

    The caller holds the incident's row lock, so sequences have no gap and commits arrive in order.
    """
    events = _chained(incident, [entry], actor, at)
    _write(events)
    return events[0]


def record_many(
    incident: Chained, entries: Sequence[Entry], *, actor: Actor, at: datetime, as_burst: bool = True
) -> None:
    """Append entries in order, as `record` does; several at once are a burst, shown as one line.

    Without `as_burst` each is a line of its own: entries that only came in together happened apart.
    """
    if entries:
        _write(_chained(incident, entries, actor, at, as_burst=as_burst))


def _chained(
    incident: Chained, entries: Sequence[Entry], actor: Actor, at: datetime, *, as_burst: bool = True
) -> list[TimelineEvent]:
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("A timeline entry belongs into the transaction of its change")
    burst = _burst(incident, entries, actor, at) if as_burst else None
    events = []
    for entry in entries:
        event = _seal(incident, entry, actor=actor, at=at, burst=burst)
        incident.head_sequence, incident.head_hash = event.sequence, event.hash
        events.append(event)
    return events


def _write(events: Sequence[TimelineEvent]) -> None:
    """The entries, the head, the counts, and on commit the word to open pages, in one statement.

    The incident is locked meanwhile, and where nine thousand holders answer at once each way to the database counts.
    """
    last = events[-1]
    rows = [{field.column: getattr(event, field.attname) for field in FIELDS} for event in events]
    bins = [{"starts_at": start, "lane": lane, "entries": entries} for (start, lane), entries in _bins(events)]
    values: dict[str, Any] = {
        "events": json.dumps(rows, default=_as_text),
        "incident": last.incident_id,
        "sequence": last.sequence,
        "hash": last.hash,
        "bins": json.dumps(bins, default=_as_text),
        "word": f"{last.incident_id} {last.sequence}",
    }
    with prepared() as cursor:
        cursor.execute(STATEMENT, values)
        (ids, _) = cursor.fetchone()
    for event, pk in zip(events, ids, strict=True):
        event.pk, event._state.adding = pk, False


def _as_text(value: object) -> str:
    """What PostgreSQL reads of a value that JSON has no form for."""
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return str(value)


def _seal(incident: Chained, entry: Entry, *, actor: Actor, at: datetime, burst: int | None) -> TimelineEvent:
    summary, details = _clean(entry)
    salt = secrets.token_bytes(16)
    sealed = make_record(
        incident_id=incident.id,
        sequence=incident.head_sequence + 1,
        previous=incident.head_hash,
        kind=entry.kind,
        actor=actor.name,
        occurred_at=entry.occurred_at or at,
        occurred_precision=entry.precision,
        recorded_at=at,
        corrects=entry.corrects,
        commitment=commitment(salt, summary, details),
    )
    return TimelineEvent(
        incident_id=incident.id,
        sequence=sealed["sequence"],
        kind=entry.kind,
        lane=entry.lane,
        summary=summary,
        details=details,
        salt=salt,
        actor=actor.name,
        actor_user_id=actor.user_id,
        is_automated=actor.is_automated,
        occurred_at=entry.occurred_at or at,
        occurred_precision=entry.precision,
        recorded_at=at,
        corrects=entry.corrects,
        previous=sealed["previous"],
        commitment=sealed["commitment"],
        hash=digest(sealed),
        step_id=entry.step_id,
        account_ids=list(entry.account_ids),
        burst=burst,
    )


def _clean(entry: Entry) -> tuple[str, dict[str, Any]]:
    """Refuse what PostgreSQL's text and jsonb would not give back as it was."""
    summary = entry.summary.strip()
    if not summary:
        raise BadEntryError("The entry is empty. Write what happened.")
    if len(summary) > SUMMARY_MAX:
        raise BadEntryError(
            f"The entry has {len(summary)} characters. Keep it under {SUMMARY_MAX} and attach the rest."
        )
    for part in _parts([summary, dict(entry.details)]):
        if isinstance(part, str) and "\0" in part:
            raise BadEntryError("The entry holds a NUL character. Remove it.")
        if isinstance(part, float):
            # Whoever checks the seal elsewhere could read another number in it.
            raise BadEntryError(f"The entry holds {part}, a number with a fraction. Write it as text.")
    return summary, dict(entry.details)


def _parts(value: object) -> Iterator[object]:
    """Every key and value in it, however deep."""
    if isinstance(value, Mapping):
        for pair in value.items():
            yield from _parts(pair)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for part in value:
            yield from _parts(part)
    else:
        yield value


def _burst(incident: Chained, entries: Sequence[Entry], actor: Actor, at: datetime) -> int | None:
    """The burst these entries belong to: their own, or the one that the newest entry is in."""
    if not actor.is_automated:
        return incident.head_sequence + 1 if len(entries) > 1 else None
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, [incident.id, incident.head_sequence])
        last = cursor.fetchone()
    if last is not None:
        kind, name, burst, recorded_at = last
        if burst is not None and (kind, name) == (entries[0].kind, actor.name) and at - recorded_at <= BURST_GAP:
            return int(burst)
    return incident.head_sequence + 1


def bin_start(moment: datetime) -> datetime:
    """The quarter of an hour the moment falls into."""
    return moment.replace(minute=moment.minute - moment.minute % 15, second=0, microsecond=0)


def _bins(events: Sequence[TimelineEvent]) -> list[tuple[tuple[datetime, str], int]]:
    """Of a burst the first: nine thousand accounts of one action are a line of the page, and no tower over all else."""
    shown = [event for event in events if event.burst in (None, event.sequence)]
    return sorted(Counter((bin_start(event.occurred_at), event.lane) for event in shown).items())


def now() -> datetime:
    """The portal's clock, for edges: operations take the time as an argument."""
    return timezone.now()

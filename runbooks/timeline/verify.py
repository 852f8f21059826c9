"""Walk an incident's chain and say where it first breaks.

The rows come as PostgreSQL writes their records in JSON, batch by batch: with the ORM a walk takes four times as long.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import rfc8785
from django.db import connection

from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.queries.filtering import Where
from runbooks.timeline.seal import GENESIS

BATCH = 2000
LAST = 2**63 - 1
# Text of JSON as RFC 8785 wants it: PostgreSQL escapes in a string exactly what must be, and the names stand in order.
LINKS = """
SELECT event.sequence, event.hash, event.previous, event.commitment,
    '{{"actor":' || to_json(event.actor) || ',"commitment":' || to_json(event.commitment)
    || ',"corrects":' || coalesce(event.corrects::text, 'null') || ',"incident":"' || event.incident_id
    || '","kind":' || to_json(event.kind) || ',"occurred_at":"' || {occurred_at}
    || '","occurred_precision":' || to_json(event.occurred_precision) || ',"previous":' || to_json(event.previous)
    || ',"recorded_at":"' || {recorded_at} || '","sequence":' || event.sequence || ',"v":1}}',
    encode(event.salt, 'hex'), to_json(event.summary)::text, event.details::text,
    CASE WHEN event.kind = 'entry.redacted' THEN event.corrects END, ({shown}) IS TRUE
FROM runbooks_timelineevent event
WHERE event.incident_id = %s AND event.sequence > %s AND event.sequence <= %s ORDER BY event.sequence LIMIT %s
"""
INSTANT = """to_char(event.{} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


class Link(NamedTuple):
    """One entry as the chain has it. `record`, `summary` and `details` are JSON, the first two canonical.

    `salt` is None where the content was taken out; `redacts` is the entry whose content this one took out.
    """

    sequence: int
    hash: str
    previous: str
    commitment: str
    record: str
    salt: str | None
    summary: str
    details: str
    redacts: int | None
    is_shown: bool

    @property
    def content(self) -> str:
        """The content in canonical JSON; ValueError where it holds a number that is not whole."""
        return f'{{"details":{canonical(self.details)},"summary":{self.summary}}}'


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far the chain holds. `broken_at` is None where all of it does."""

    entries: int
    head_hash: str
    broken_at: int | None = None
    reason: str = ""


def links(incident_id: UUID, *, after: int = 0, until: int = LAST, shown: Where | None = None) -> Iterator[Link]:
    """The entries behind `after` up to `until`, in constant memory; between batches the connection is free.

    `shown` are conditions on the alias `event`: those of a filter. Whoever needs all batches to be of one moment reads
    them in a transaction that is REPEATABLE READ.
    """
    statement = _statement(str(shown) if shown is not None and shown.conditions else "true")
    parameters: list[Any] = list(shown.parameters) if shown is not None else []
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, [*parameters, incident_id, after, until, BATCH])
            rows = cursor.fetchall()
        yield from map(Link._make, rows)
        if len(rows) < BATCH:
            return
        after = rows[-1][0]


@lru_cache(maxsize=32)
def _statement(shown: str) -> str:
    occurred_at, recorded_at = INSTANT.format("occurred_at"), INSTANT.format("recorded_at")
    return LINKS.format(occurred_at=occurred_at, recorded_at=recorded_at, shown=shown)


def verify_chain(incident_id: UUID, *, after: int = 0, previous: str = GENESIS) -> Verdict:
    """Recompute every commitment and hash in constant memory, from behind `after`, whose hash is `previous`."""
    count = 0
    for link in links(incident_id, after=after):
        if reason := fault(link, after + count + 1, previous):
            return Verdict(count, previous, link.sequence, reason)
        previous, count = link.hash, count + 1
    return Verdict(count, previous)


def fault_of(event: TimelineEvent) -> str:
    """What is wrong with the seal of this one entry, or nothing; one query, with the entry before it."""
    *before, link = links(event.incident_id, after=event.sequence - 2, until=event.sequence)
    if event.sequence > 1 and not before:
        return "the entry before it is missing"
    return fault(link, event.sequence, before[0].hash if before else GENESIS)


def fault(link: Link, expected: int, previous: str) -> str:
    """What is wrong with this link where entry `expected` must follow the hash `previous`, or nothing."""
    if link.sequence != expected:
        return f"entry {expected} is missing"
    if link.previous != previous:
        return "it does not follow the entry before it"
    if link.salt is not None and _commitment(link) != link.commitment:
        return "its content is not what was sealed"
    if hashlib.sha256(link.record.encode()).hexdigest() != link.hash:
        return "its hash does not match"
    return ""


def _commitment(link: Link) -> str:
    """What the salt and content come to; nothing where the content is none that could have been sealed."""
    try:
        return hashlib.sha256(bytes.fromhex(link.salt or "") + link.content.encode()).hexdigest()
    except ValueError:
        return ""


def canonical(text: str) -> str:
    """RFC 8785 of a JSON text that PostgreSQL's jsonb gave; ValueError for a number that is not whole."""
    if text == "{}":
        return text
    value = DECODER.decode(text)
    # Names are sorted by UTF-16 code units, which is the order of code points but for those beyond the basic plane.
    if text.isascii() or max(text) < "\U00010000":
        return ENCODER.encode(value)
    return rfc8785.dumps(value).decode()


def _refuse(number: str) -> None:
    raise ValueError(f"{number} is not whole")


DECODER = json.JSONDecoder(parse_float=_refuse)
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

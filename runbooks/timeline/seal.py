"""The seal of an entry, exactly as docs/architecture.md says; docs/verify_export.py checks it without us."""

import hashlib
from datetime import UTC, datetime
from typing import TypedDict
from uuid import UUID

import rfc8785

GENESIS = "0" * 64
VERSION = 1


class Record(TypedDict):
    """What is hashed of an entry. It outlives a redaction of the content."""

    v: int
    incident: str
    sequence: int
    previous: str
    kind: str
    actor: str
    occurred_at: str
    occurred_precision: str
    recorded_at: str
    corrects: int | None
    commitment: str


def instant(moment: datetime) -> str:
    """RFC 3339, UTC, six decimals, Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def commitment(salt: bytes, summary: str, details: object) -> str:
    """SHA-256(salt || JCS(content)), hex."""
    content = rfc8785.dumps({"summary": summary, "details": details})  # type: ignore[dict-item]  # checked by dumps
    return hashlib.sha256(salt + content).hexdigest()


def make_record(
    *,
    incident_id: UUID,
    sequence: int,
    previous: str,
    kind: str,
    actor: str,
    occurred_at: datetime,
    occurred_precision: str,
    recorded_at: datetime,
    corrects: int | None,
    commitment: str,
) -> Record:
    return Record(
        v=VERSION,
        incident=str(incident_id),
        sequence=sequence,
        previous=previous,
        kind=kind,
        actor=actor,
        occurred_at=instant(occurred_at),
        occurred_precision=occurred_precision,
        recorded_at=instant(recorded_at),
        corrects=corrects,
        commitment=commitment,
    )


def digest(record: Record) -> str:
    """SHA-256(JCS(record)), hex."""
    return hashlib.sha256(rfc8785.dumps(dict(record))).hexdigest()  # type: ignore[arg-type]  # strings, integers, null

"""Walk an incident's chain and say where it first breaks."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.seal import GENESIS, commitment, digest, make_record


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far the chain holds. `broken_at` is None where all of it does."""

    entries: int
    head_hash: str
    broken_at: int | None = None
    reason: str = ""


def verify_chain(incident_id: UUID) -> Verdict:
    """Recompute every commitment and hash in constant memory."""
    expected, previous, count = 1, GENESIS, 0
    for event in _events(incident_id):
        reason = _fault(event, expected, previous)
        if reason:
            return Verdict(count, previous, event.sequence, reason)
        expected, previous, count = expected + 1, event.hash, count + 1
    return Verdict(count, previous)


def fault_of(event: TimelineEvent) -> str:
    """What is wrong with the seal of this one entry, or nothing; one query, for the entry before it."""
    before = TimelineEvent.objects.filter(incident_id=event.incident_id, sequence=event.sequence - 1)
    previous = before.values_list("hash", flat=True).first() if event.sequence > 1 else GENESIS
    return "the entry before it is missing" if previous is None else _fault(event, event.sequence, previous)


def _events(incident_id: UUID) -> Iterator[TimelineEvent]:
    return TimelineEvent.objects.filter(incident_id=incident_id).order_by("sequence").iterator(chunk_size=2000)


def _fault(event: TimelineEvent, expected: int, previous: str) -> str:
    if event.sequence != expected:
        return f"entry {expected} is missing"
    if event.previous != previous:
        return "it does not follow the entry before it"
    if event.salt is not None and commitment(bytes(event.salt), event.summary, event.details) != event.commitment:
        return "its content is not what was sealed"
    sealed = make_record(
        incident_id=event.incident_id,
        sequence=event.sequence,
        previous=event.previous,
        kind=event.kind,
        actor=event.actor,
        occurred_at=event.occurred_at,
        occurred_precision=event.occurred_precision,
        recorded_at=event.recorded_at,
        corrects=event.corrects,
        commitment=event.commitment,
    )
    return "" if digest(sealed) == event.hash else "its hash does not match"

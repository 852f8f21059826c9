"""Who decided what: approvals by two people, decisions of the timeline, corrections, and what was taken out.

Each list is keyset paged, newest first; one more row than a page tells that there is another.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

from runbooks.actions.models import ActionDecision
from runbooks.timeline.verify import LAST

PAGE: Final = 50

# What is decided of many accounts at once is one line: the first entry says it.
DECISIONS: Final = """
SELECT event.sequence, event.occurred_at, event.actor, event.summary, event.salt IS NULL,
    CASE WHEN event.burst IS NOT NULL THEN (
        SELECT max(sequence) FROM runbooks_timelineevent WHERE incident_id = event.incident_id AND burst = event.burst
    ) END
FROM runbooks_timelineevent event
WHERE event.incident_id = %s AND event.lane = 'decision' AND event.sequence <= %s
    AND (event.burst IS NULL OR event.burst = event.sequence) AND (event.occurred_at, event.sequence) < (%s, %s)
ORDER BY event.occurred_at DESC, event.sequence DESC LIMIT %s
"""
CORRECTIONS: Final = """
SELECT event.sequence, event.recorded_at, event.actor, event.summary, event.salt IS NULL, event.corrects,
    event.kind = 'entry.redacted', first.summary, first.salt IS NULL, first.actor
FROM runbooks_timelineevent event
JOIN runbooks_timelineevent first ON first.incident_id = event.incident_id AND first.sequence = event.corrects
WHERE event.incident_id = %s AND event.corrects IS NOT NULL AND event.sequence <= %s AND event.sequence < %s
ORDER BY event.sequence DESC LIMIT %s
"""
# In one row what was asked, and what was decided on it: the two people beside each other.
APPROVALS: Final = """
SELECT decision.id, decision.at, action.number, action.kind, decision.kind, asked.name, asked.username,
    decision.decided_by_name, decision.credential, decision.comment, decision.digest,
    (SELECT count(*) FROM runbooks_actionaccount WHERE action_id = action.id)
FROM runbooks_actiondecision decision JOIN runbooks_action action ON action.id = decision.action_id
LEFT JOIN runbooks_user asked ON asked.id = decision.requested_by_id
WHERE action.incident_id = %s AND decision.id < %s ORDER BY decision.id DESC LIMIT %s
"""
REDACTIONS: Final = """
SELECT redaction.id, redaction.requested_at, event.sequence, redaction.reason, redaction.legal_basis,
    redaction.status, asked.name, asked.username, decided.name, decided.username, redaction.decided_at,
    redaction.decision_note
FROM runbooks_redaction redaction JOIN runbooks_timelineevent event ON event.id = redaction.event_id
JOIN runbooks_user asked ON asked.id = redaction.requester_id
LEFT JOIN runbooks_user decided ON decided.id = redaction.decider_id
WHERE redaction.incident_id = %s AND redaction.id < %s ORDER BY redaction.id DESC LIMIT %s
"""


class Decision(NamedTuple):
    """An entry that says what was decided. `last` is the end of its run, None where it stands alone."""

    sequence: int
    occurred_at: datetime
    actor: str
    summary: str
    is_taken_out: bool
    last: int | None


class Correction(NamedTuple):
    """An entry that corrects an earlier one, or says that its content was taken out; and what stands there."""

    sequence: int
    recorded_at: datetime
    actor: str
    summary: str
    is_taken_out: bool
    corrects: int
    is_redaction: bool
    first_summary: str
    is_first_taken_out: bool
    first_actor: str


class Approval(NamedTuple):
    """What was decided on an action, and by whom. `asked_by` is None where nobody had asked, as in an emergency."""

    id: int
    at: datetime
    number: int
    action_kind: str
    kind: str
    asked_name: str | None
    asked_username: str | None
    decided_by: str
    credential: str
    comment: str
    digest: str
    accounts: int

    @property
    def asked_by(self) -> str:
        return self.asked_name or self.asked_username or ""

    @property
    def label(self) -> str:
        return str(ActionDecision.Kind(self.kind).label)


class Redacted(NamedTuple):
    """A request that the content of an entry be taken out, and what became of it."""

    id: int
    requested_at: datetime
    sequence: int
    reason: str
    legal_basis: str
    status: str
    asked_name: str
    asked_username: str
    decided_name: str | None
    decided_username: str | None
    decided_at: datetime | None
    note: str

    @property
    def asked_by(self) -> str:
        return self.asked_name or self.asked_username

    @property
    def decided_by(self) -> str:
        return self.decided_name or self.decided_username or ""


def decisions_of(
    incident_id: UUID, *, before: tuple[datetime, int] | None = None, until: int = LAST, limit: int = PAGE + 1
) -> list[Decision]:
    moment, sequence = before or ("infinity", LAST)
    return [Decision._make(row) for row in _rows(DECISIONS, [incident_id, until, moment, sequence, limit])]


def corrections_of(
    incident_id: UUID, *, before: int | None = None, until: int = LAST, limit: int = PAGE + 1
) -> list[Correction]:
    return [Correction._make(row) for row in _rows(CORRECTIONS, [incident_id, until, before or LAST, limit])]


def approvals_of(incident_id: UUID, *, before: int | None = None, limit: int = PAGE + 1) -> list[Approval]:
    return [Approval._make(row) for row in _rows(APPROVALS, [incident_id, before or LAST, limit])]


def redactions_of(incident_id: UUID, *, before: int | None = None, limit: int = PAGE + 1) -> list[Redacted]:
    return [Redacted._make(row) for row in _rows(REDACTIONS, [incident_id, before or LAST, limit])]


def _rows(statement: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())

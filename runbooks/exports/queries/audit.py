"""What an auditor asks of a timeline first: is it whole, how much was corrected, how much came late."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from runbooks.incidents.models import Incident
from runbooks.incidents.snapshot import at_head
from runbooks.timeline.lines import RECORDED_LATE

# "To the day" says no time that something could be late by.
COUNTED = """
SELECT count(*), count(*) FILTER (WHERE kind = 'entry.corrected'), count(*) FILTER (WHERE kind = 'entry.redacted'),
    count(*) FILTER (WHERE recorded_at - occurred_at >= make_interval(secs => %s) AND occurred_precision <> 'day'),
    coalesce(max(sequence), 0)
FROM runbooks_timelineevent WHERE incident_id = %s
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Entries of an incident. `gaps` are numbers that no entry has, up to the newest one."""

    entries: int
    corrections: int
    redactions: int
    late: int
    gaps: int


def counted(incident: Incident) -> Counted:
    """No query while the incident stays as it is; one after a change."""
    return at_head(incident, "audit", _count)


def _count(incident_id: UUID) -> Counted:
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, [RECORDED_LATE.total_seconds(), incident_id])
        entries, corrections, redactions, late, last = cursor.fetchone()
    return Counted(entries, corrections, redactions, late, last - entries)

"""What the overview counts of an incident's rows, in one value that is kept until the incident changes."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from runbooks.actions.queries.attention import Attention, attention
from runbooks.affected_accounts.models import State
from runbooks.affected_accounts.queries import (
    ContactCounts,
    GroupCounts,
    burn_up,
    contact_counts,
    group_counts,
    ready_counts,
    unresolved_count,
)
from runbooks.confirmations.queries.needs import HolderNeeds, holder_needs
from runbooks.containment.queries import DeadlineStep, deadline_steps, due_times
from runbooks.incidents.models import Incident
from runbooks.incidents.snapshot import at_head
from runbooks.room.charts import Stairs, stairs
from runbooks.room.queries.feed import Entry, newest_entries


@dataclass(frozen=True, slots=True)
class Tally:
    """`due` are the due times of all open steps; what is late of them depends on the clock."""

    groups: GroupCounts
    stairs: Stairs | None
    contact: ContactCounts
    ready: dict[State, int]
    unresolved: int
    due: list[datetime]
    deadlines: list[DeadlineStep]
    entries: list[Entry]
    actions: list[Attention]
    holders: HolderNeeds

    def late(self, now: datetime) -> int:
        return sum(at < now for at in self.due)


def tally(incident: Incident) -> Tally:
    """No query while the incident stays as it is; eleven after a change, twelve once there are actions."""
    return at_head(incident, "overview", lambda incident_id: _count(incident_id, begin(incident)))


def begin(incident: Incident) -> datetime:
    """Where the burn-up begins: it was mostly noticed before it was declared."""
    return min(incident.detected_at, incident.declared_at)


def _count(incident_id: UUID, start: datetime) -> Tally:
    return Tally(
        groups=group_counts(incident_id),
        stairs=stairs(burn_up(incident_id), start),
        contact=contact_counts(incident_id),
        ready=ready_counts(incident_id),
        unresolved=unresolved_count(incident_id),
        due=due_times(incident_id),
        deadlines=deadline_steps(incident_id),
        entries=newest_entries(incident_id),
        actions=attention(incident_id),
        holders=holder_needs(incident_id),
    )

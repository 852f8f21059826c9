"""Reading an incident's accounts. Callers have found the incident as somebody (`incidents.queries.incident_for`)."""

from runbooks.affected_accounts.queries.counts import (
    BurnUpPoint,
    ContactCounts,
    GroupCounts,
    burn_up,
    contact_counts,
    group_counts,
    group_counts_of,
    grouped,
    ready_counts,
    state_counts,
    unresolved_count,
)

__all__ = [
    "BurnUpPoint",
    "ContactCounts",
    "GroupCounts",
    "burn_up",
    "contact_counts",
    "group_counts",
    "group_counts_of",
    "grouped",
    "ready_counts",
    "state_counts",
    "unresolved_count",
]

"""Numbers of an incident's accounts, always counted from rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Case, Count, DateTimeField, F, Func, IntegerField, Max, Min, Q, Sum, Value, When

from runbooks.affected_accounts.models import AffectedAccount, State, StateChange, UnresolvedLine
from runbooks.affected_accounts.transitions import (
    COMPROMISED_STATES,
    GROUPS,
    TABLE,
    Group,
    fact_column,
    level,
)

BURN_UP_POINTS = 200
# Which accounts may take the next step of the way now: every fact of its guard is there.
READY = {
    row.after: Q(state=row.before, **{f"{fact_column(kind)}__isnull": False for kind in row.facts})
    for row in TABLE
    if row.is_forward and row.facts
}
NEVER_TRIED = Q(state__in=COMPROMISED_STATES, contact_attempts=0, holder_reached_at__isnull=True)


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """Accounts by the six marks. `compromised` are those that were confirmed, however far they are now."""

    suspected: int = 0
    confirmed: int = 0
    contained: int = 0
    reset: int = 0
    restored: int = 0
    cleared: int = 0

    @property
    def compromised(self) -> int:
        return self.confirmed + self.contained + self.reset + self.restored

    @property
    def total(self) -> int:
        return self.suspected + self.compromised + self.cleared


@dataclass(frozen=True, slots=True)
class BurnUpPoint:
    """How many accounts were at a level or beyond it, from this moment on."""

    at: datetime
    compromised: int
    contained: int
    reset: int
    restored: int


@dataclass(frozen=True, slots=True)
class ContactCounts:
    """Holders of compromised accounts: all of them, those reached, those nobody tried to reach yet."""

    holders: int
    reached: int
    never_tried: int


def state_counts(incident_id: UUID) -> dict[State, int]:
    """{state: accounts}, without the states that nobody is in. One query."""
    found = (
        AffectedAccount.objects.filter(incident_id=incident_id)
        .order_by()
        .values_list("state")
        .annotate(accounts=Count("id"))
    )
    return {State(state): accounts for state, accounts in found}


def grouped(states: Mapping[State, int]) -> GroupCounts:
    counted = {str(group): 0 for group in Group}
    for state, accounts in states.items():
        counted[GROUPS[state]] += accounts
    return GroupCounts(**counted)


def group_counts(incident_id: UUID) -> GroupCounts:
    """One query."""
    return grouped(state_counts(incident_id))


def group_counts_of(incident_ids: Sequence[UUID]) -> dict[UUID, GroupCounts]:
    """The same for many incidents; those without accounts are left out. One query."""
    found = (
        AffectedAccount.objects.filter(incident_id__in=incident_ids)
        .order_by()
        .values_list("incident_id", "state")
        .annotate(accounts=Count("id"))
    )
    states: dict[UUID, dict[State, int]] = {}
    for incident_id, state, accounts in found:
        states.setdefault(incident_id, {})[State(state)] = accounts
    return {incident_id: grouped(counted) for incident_id, counted in states.items()}


def ready_counts(incident_id: UUID) -> dict[State, int]:
    """{state: accounts that meet the guard of moving on to it}, along the way to restoration. One query."""
    found = AffectedAccount.objects.filter(incident_id=incident_id).aggregate(
        **{str(state): Count("id", filter=guard) for state, guard in READY.items()}
    )
    return {State(name): accounts for name, accounts in found.items() if accounts}


def contact_counts(incident_id: UUID) -> ContactCounts:
    """One query."""
    found = AffectedAccount.objects.filter(incident_id=incident_id, state__in=COMPROMISED_STATES).aggregate(
        holders=Count("id"),
        reached=Count("holder_reached_at"),
        never_tried=Count("id", filter=NEVER_TRIED),
    )
    return ContactCounts(**found)


def unresolved_count(incident_id: UUID) -> int:
    """Lines of the analysts' lists that nobody has settled yet."""
    return UnresolvedLine.objects.filter(incident_id=incident_id, settled_at__isnull=True).count()


def _reaches(name: str, least: int) -> Case:
    """1 where the named state is at the level or beyond it, else 0."""
    states = [state for state in State if level(state) >= least]
    return Case(When(**{f"{name}__in": states}, then=Value(1)), default=Value(0), output_field=IntegerField())


def burn_up(incident_id: UUID) -> list[BurnUpPoint]:
    """Steps of the burn-up, oldest first: at most 200, however many changes there were. Two queries.

    Every change adds to the lines it climbs above and takes from those it falls below, so a correction is seen where it
    was made, and the last point is what a count of the rows says now.
    """
    changes = StateChange.objects.filter(incident_id=incident_id)
    bounds = changes.aggregate(first=Min("at"), last=Max("at"))
    if bounds["first"] is None:
        return []
    width = max((bounds["last"] - bounds["first"]) / (BURN_UP_POINTS - 1), timedelta(microseconds=1))
    sums = {
        name: Sum(_reaches("after", least) - _reaches("before", least))
        for least, name in enumerate(["compromised", "contained", "reset", "restored"], start=1)
    }
    slots = (
        changes.annotate(
            slot=Func(Value(width), F("at"), Value(bounds["first"]), function="date_bin", output_field=DateTimeField())
        )
        .order_by("slot")
        .values("slot")
        .annotate(moment=Max("at"), **sums)
        .values_list("moment", *sums)
    )
    points, total = [], [0, 0, 0, 0]
    for moment, *gained in slots:
        if any(gained):
            total = [had + more for had, more in zip(total, gained, strict=True)]
            points.append(BurnUpPoint(moment, *total))
    return points

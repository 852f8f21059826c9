"""Who of an incident is told and called: its lead, deputy and coordinators, and who holds which role, as of now."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from runbooks.access.models import Role, User
from runbooks.incidents.models import Incident, IncidentRole

Kind = IncidentRole.Kind


@dataclass(frozen=True, slots=True)
class Crew:
    """Current members who may sign in, by id, and which of them hold which IncidentRole.Kind."""

    members: dict[int, User]
    holding: dict[str, list[User]]
    lead_id: int | None

    @property
    def lead(self) -> User | None:
        return self.members.get(self.lead_id) if self.lead_id else None

    @property
    def deputy(self) -> User | None:
        return next(iter(self.holding.get(Kind.DEPUTY, [])), None)

    def of_role(self, role: str) -> list[User]:
        """By the role of their sign-in, by name."""
        return [user for user in self.members.values() if user.role == role]

    def leads(self) -> list[User]:
        """Who answers for the incident: the lead, else the deputy, else every coordinator in it."""
        first = self.lead or self.deputy
        return [first] if first else self.of_role(Role.COORDINATOR)

    def for_deadlines(self) -> list[User]:
        """Who answers to somebody outside: those who lead, the data protection officers, communications."""
        officers = [*self.holding.get(Kind.DPO, []), *self.holding.get(Kind.COMMUNICATIONS, [])]
        return once([*self.leads(), *officers, *self.of_role(Role.COMMUNICATIONS)])


def crew_of(incident: Incident) -> Crew:
    """Two queries."""
    here = {"memberships__incident_id": incident.pk, "memberships__ended_at__isnull": True}
    people = User.objects.filter(is_active=True, **here).order_by("name", "pk")
    members = {user.pk: user for user in people}
    holding: dict[str, list[User]] = {}
    for kind, user_id in _held(incident.pk):
        if user_id in members:
            holding.setdefault(kind, []).append(members[user_id])
    return Crew(members, holding, incident.lead_id)


def _held(incident_id: UUID) -> Iterable[tuple[str, int]]:
    held = IncidentRole.objects.filter(incident_id=incident_id, until__isnull=True)
    return held.order_by("since", "pk").values_list("kind", "user_id")


def once(people: Iterable[User]) -> list[User]:
    return list({user.pk: user for user in people}.values())

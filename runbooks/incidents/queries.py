"""Reading incidents, always as somebody: who is not a member finds nothing."""

from uuid import UUID

from django.db.models import QuerySet

from runbooks.access.models import Membership
from runbooks.access.permissions import Actor
from runbooks.errors import NotFoundError
from runbooks.incidents.models import Incident, IncidentRole


def incidents_of(actor: Actor) -> QuerySet[Incident]:
    """The incidents this actor is in, with their lead."""
    incidents = Incident.objects.select_related("lead")
    if actor.user_id is None:
        return incidents
    mine = Membership.objects.filter(user_id=actor.user_id, ended_at__isnull=True).values("incident_id")
    return incidents.filter(pk__in=mine)


def incident_for(actor: Actor, reference: str) -> Incident:
    """The incident by its reference, in one query; NotFoundError to everybody who is not in it."""
    incident = incidents_of(actor).filter(reference=reference.upper()).first()
    if incident is None:
        raise NotFoundError(f"There is no incident {reference}, or you are not in it.")
    return incident


def current_roles(incident_id: UUID) -> QuerySet[IncidentRole]:
    return IncidentRole.objects.filter(incident_id=incident_id, until__isnull=True).select_related("user")


def role_kinds_of(actor: Actor, incident_id: UUID) -> set[str]:
    """Which roles the actor holds in the incident now."""
    if actor.user_id is None:
        return set()
    held = IncidentRole.objects.filter(incident_id=incident_id, user_id=actor.user_id, until__isnull=True)
    return set(held.values_list("kind", flat=True))

"""Reading incidents, always as somebody: who is not a member finds nothing."""

from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from runbooks.access.models import Membership, User
from runbooks.access.permissions import Actor
from runbooks.errors import NotFoundError
from runbooks.incidents.models import Incident, IncidentRole

COLUMNS = [field.attname for field in Incident._meta.concrete_fields]
LEAD = ["id", "username", "name"]
# Notices change without an entry, so they are counted with the incident each time; an index holds only those.
UNDELIVERED = """
(SELECT count(*) FROM runbooks_notification notice WHERE notice.incident_id = incident.id
    AND notice.status IN ('failed', 'held') AND notice.acknowledged_at IS NULL)
"""
# In SQL because every page and fragment of an incident begins here: to put it together took as long as forty lines of
# a timeline.
FOUND = (
    "SELECT",
    ", ".join([f"incident.{name}" for name in COLUMNS] + [f"lead.{name}" for name in LEAD] + [UNDELIVERED]),
    "FROM runbooks_incident incident LEFT JOIN runbooks_user lead ON lead.id = incident.lead_id",
    "WHERE incident.reference = %s",
)
MEMBER = """
AND EXISTS (
    SELECT FROM runbooks_membership member
    WHERE member.incident_id = incident.id AND member.user_id = %s AND member.ended_at IS NULL
)
"""
PEOPLE = """
SELECT DISTINCT person.name, person.id FROM runbooks_membership member
JOIN runbooks_user person ON person.id = member.user_id WHERE member.incident_id = %s ORDER BY person.name, person.id
"""


def incidents_of(actor: Actor) -> QuerySet[Incident]:
    """The incidents this actor is in, with their lead."""
    incidents = Incident.objects.select_related("lead")
    if actor.user_id is None:
        return incidents
    mine = Membership.objects.filter(user_id=actor.user_id, ended_at__isnull=True).values("incident_id")
    return incidents.filter(pk__in=mine)


def incident_for(actor: Actor, reference: str) -> Incident:
    """The incident by its reference, with its lead's names and how many of its notices reached nobody, in one query;
    NotFoundError to everybody not in it."""
    with connection.cursor() as cursor:
        if actor.user_id is None:
            cursor.execute(" ".join(FOUND), [reference.upper()])
        else:
            cursor.execute(" ".join((*FOUND, MEMBER)), [reference.upper(), actor.user_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFoundError(f"There is no incident {reference}, or you are not in it.")
    incident = Incident.from_db(connection.alias, COLUMNS, row[: len(COLUMNS)])
    incident.undelivered_notices = row[-1]
    if incident.lead_id is not None:
        incident.lead = User.from_db(connection.alias, LEAD, row[len(COLUMNS) : -1])
    return incident


def people_of(incident_id: UUID) -> list[tuple[int, str]]:
    """Who is or was in the incident, by name: whom a filter can ask for."""
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE, [incident_id])
        return [(pk, name) for name, pk in cursor.fetchall()]


def current_roles(incident_id: UUID) -> QuerySet[IncidentRole]:
    return IncidentRole.objects.filter(incident_id=incident_id, until__isnull=True).select_related("user")


def role_kinds_of(actor: Actor, incident_id: UUID) -> set[str]:
    """Which roles the actor holds in the incident now."""
    if actor.user_id is None:
        return set()
    held = IncidentRole.objects.filter(incident_id=incident_id, user_id=actor.user_id, until__isnull=True)
    return set(held.values_list("kind", flat=True))

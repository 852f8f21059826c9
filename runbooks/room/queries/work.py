"""What waits for one person, over all their incidents."""

from datetime import datetime

from django.db import connection
from django.db.models import F

from runbooks.access.permissions import Actor
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident

PAGE = 50
# Open steps that are this person's, or nobody's but of a role they hold, in running incidents they are in. Written in
# SQL because the top bar of every page asks it: to put it together anew took four times as long as to run it.
MINE = """
FROM runbooks_step step
JOIN runbooks_incident incident ON incident.id = step.incident_id AND incident.status <> ALL(%s)
JOIN runbooks_membership member ON member.incident_id = incident.id AND member.user_id = %s AND member.ended_at IS NULL
WHERE step.status <> ALL(%s) AND (
    step.owner_id = member.user_id
    OR step.owner_id IS NULL AND EXISTS (
        SELECT FROM runbooks_incidentrole role WHERE role.incident_id = incident.id
            AND role.user_id = member.user_id AND role.kind = step.role AND role.until IS NULL
    )
)
"""
URGENT = ("SELECT count(*)", MINE, "AND (step.status = %s OR step.due_at <= %s)")
ALL = ("SELECT step.id", MINE)


def _mine(actor: Actor) -> tuple[list[str], int, list[str]]:
    """The parameters of MINE. The portal itself has no work."""
    return [*Incident.OVER], actor.user_id or 0, [*Step.CLOSED]


def work_count(actor: Actor, now: datetime) -> int:
    """How many of them are in hand or due: what the top bar counts."""
    with connection.cursor() as cursor:
        cursor.execute(" ".join(URGENT), [*_mine(actor), Step.Status.RUNNING, now])
        return int(cursor.fetchone()[0])


def my_work(actor: Actor) -> list[Step]:
    """The first steps of them, most urgent first."""
    with connection.cursor() as cursor:
        cursor.execute(" ".join(ALL), _mine(actor))
        mine = [pk for (pk,) in cursor.fetchall()]
    steps = Step.objects.filter(pk__in=mine).select_related("incident", "owner")
    return list(steps.order_by(F("due_at").asc(nulls_last=True), "incident_id", "position")[:PAGE])

"""What waits for one person, over all their incidents: their steps, and decisions on actions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F

from runbooks.access.permissions import Actor, can
from runbooks.actions.models import Action
from runbooks.actions.queries.listing import title_of
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident
from runbooks.room.queries.my_notices import UNANSWERED, unanswered_values

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
# Requests of others that a person who leads may decide on.
REQUESTS = """
FROM runbooks_action action
JOIN runbooks_incident incident ON incident.id = action.incident_id AND incident.status <> ALL(%s)
JOIN runbooks_membership member ON member.incident_id = incident.id AND member.user_id = %s AND member.ended_at IS NULL
WHERE action.status = %s AND action.requested_by_id <> member.user_id AND NOT member.user_id = ANY(action.authors)
"""
URGENT = ("SELECT count(*)", MINE, "AND (step.status = %s OR step.due_at <= %s)")
ALL = ("SELECT step.id", MINE)


def _mine(actor: Actor) -> tuple[list[str], int, list[str]]:
    """The parameters of MINE. The portal itself has no work."""
    return [*Incident.OVER], actor.user_id or 0, [*Step.CLOSED]


class TopCounts(NamedTuple):
    """What the top bar counts: steps in hand or due and requests that wait for this person; notices not answered."""

    work: int
    notices: int


def top_counts(actor: Actor, now: datetime) -> TopCounts:
    """Both in one query: every page asks it."""
    statement = " ".join(URGENT)
    values: list[Any] = [*_mine(actor), Step.Status.RUNNING, now]
    if can(actor, "approve_action"):
        statement = f"({statement}) + (SELECT count(*) {REQUESTS})"
        values += _requests(actor)
    else:
        statement = f"({statement})"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {statement}, ({UNANSWERED})", [*values, *unanswered_values(actor, now)])
        return TopCounts(*cursor.fetchone())


def work_count(actor: Actor, now: datetime) -> int:
    return top_counts(actor, now).work


def _requests(actor: Actor) -> list[Any]:
    """The parameters of REQUESTS."""
    return [[*Incident.OVER], actor.user_id or 0, Action.Status.AWAITING_APPROVAL]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An action that waits for this person: a request to decide on."""

    action: Action
    incident: Incident
    title: str


def my_requests(actor: Actor) -> list[Waiting]:
    """Requests that this person may decide on; what expires first comes first. At most two queries."""
    if not can(actor, "approve_action"):
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT action.id {REQUESTS}", _requests(actor))
        mine = [pk for (pk,) in cursor.fetchall()]
    if not mine:
        return []
    actions = Action.objects.filter(pk__in=mine).select_related("incident", "undoes", "requested_by")
    ordered = actions.order_by("expires_at", "pk")[:PAGE]
    return [Waiting(action, action.incident, title_of(action)) for action in ordered]


def my_work(actor: Actor) -> list[Step]:
    """The first steps of them, most urgent first."""
    with connection.cursor() as cursor:
        cursor.execute(" ".join(ALL), _mine(actor))
        mine = [pk for (pk,) in cursor.fetchall()]
    steps = Step.objects.filter(pk__in=mine).select_related("incident", "owner")
    return list(steps.order_by(F("due_at").asc(nulls_last=True), "incident_id", "position")[:PAGE])

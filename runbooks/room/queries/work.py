"""What waits for one person, over all their incidents."""

from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from runbooks.access.models import Membership
from runbooks.access.permissions import Actor
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident, IncidentRole

PAGE = 50


def my_steps(actor: Actor) -> QuerySet[Step]:
    """Open steps that are this person's, or nobody's but of a role they hold, in running incidents they are in."""
    user_id = actor.user_id or 0  # the portal itself has no work
    member = Membership.objects.filter(user_id=user_id, incident_id=OuterRef("incident_id"), ended_at__isnull=True)
    holds_role = IncidentRole.objects.filter(
        user_id=user_id, incident_id=OuterRef("incident_id"), kind=OuterRef("role"), until__isnull=True
    )
    return (
        Step.objects.filter(Exists(member))
        .filter(Q(owner_id=user_id) | Q(owner__isnull=True) & Exists(holds_role))
        .exclude(status__in=Step.CLOSED)
        .exclude(incident__status__in=Incident.OVER)
    )


def work_count(actor: Actor, now: datetime) -> int:
    """How many of them are in hand or due: what the top bar counts."""
    return my_steps(actor).filter(Q(status=Step.Status.RUNNING) | Q(due_at__lte=now)).count()


def my_work(actor: Actor) -> list[Step]:
    """The first steps of them, most urgent first."""
    steps = my_steps(actor).select_related("incident", "owner")
    return list(steps.order_by(F("due_at").asc(nulls_last=True), "incident_id", "position")[:PAGE])

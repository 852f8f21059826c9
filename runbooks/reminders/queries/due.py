"""What is due to be said about steps, deadlines and requests, and has not been said."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Case, DateTimeField, F, Max, OuterRef, Q, Subquery, When

from runbooks.actions.models import Action
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident
from runbooks.reminders.models import Reminder
from runbooks.reminders.stages import SOON, Stage, deadline_stage, request_stage, step_stage
from runbooks.timeline.models import TimelineEvent


class OpenStep(NamedTuple):
    """A step that is not closed. `begins` is when its time began to run: with the incident, or when it was added."""

    incident_id: UUID
    id: int
    number: str
    title: str
    due_at: datetime
    deadline_label: str
    owner_id: int | None
    severity: int
    declared_at: datetime
    begins: datetime


class Request(NamedTuple):
    """An action that waits for a second person."""

    incident_id: UUID
    id: UUID
    number: int
    requested_by: str | None
    asked_at: datetime
    expires_at: datetime
    authors: list[int]


@dataclass(frozen=True, slots=True)
class Due:
    """One thing to say now: what has come, and about what."""

    incident_id: UUID
    about: str
    stage: Stage
    thing: OpenStep | Request


def to_say(now: datetime, incident_ids: Collection[UUID] | None = None) -> list[Due]:
    """Of running incidents, or of these alone, the earliest first. Three queries, however many steps there are."""
    come = [*_of_steps(now, incident_ids), *_of_requests(now, incident_ids)]
    said = _said({one.incident_id for one in come}) if come else {}
    new = [one for one in come if _is_new(one, said)]
    return sorted(new, key=lambda one: (one.stage.at, one.about))


def _is_new(one: Due, said: dict[tuple[UUID, str, str], datetime]) -> bool:
    """Nothing as late was said of it. So a stage is never said after a later one, whatever clocks did meanwhile."""
    last = said.get((one.incident_id, one.about, family(one.stage.event)))
    return last is None or last < one.stage.at


def family(event: str) -> str:
    """step, clock or action: within one of them the newest stage alone is said."""
    return event.partition(".")[0]


def _said(incident_ids: Iterable[UUID]) -> dict[tuple[UUID, str, str], datetime]:
    """{(incident, about, family): the latest moment for which something was said}"""
    rows = Reminder.objects.filter(incident_id__in=list(incident_ids)).values_list("incident_id", "about", "event")
    found: dict[tuple[UUID, str, str], datetime] = {}
    for incident_id, about, event, latest in rows.annotate(latest=Max("due_at")).order_by():
        key = (incident_id, about, family(event))
        found[key] = max(latest, found.get(key, latest))
    return found


def _of_steps(now: datetime, incident_ids: Collection[UUID] | None) -> Iterable[Due]:
    for step in _open_steps(now, incident_ids):
        about = f"step:{step.id}"
        if stage := step_stage(step.begins, step.due_at, step.declared_at, step.severity, now):
            yield Due(step.incident_id, about, stage, step)
        if step.deadline_label and (stage := deadline_stage(step.begins, step.due_at, now)):
            yield Due(step.incident_id, about, stage, step)


def _open_steps(now: datetime, incident_ids: Collection[UUID] | None) -> list[OpenStep]:
    added = TimelineEvent.objects.filter(step_id=OuterRef("pk"), kind="step.added").values("recorded_at")[:1]
    begins = Case(
        When(is_added=True, then=Subquery(added)), default=F("incident__declared_at"), output_field=DateTimeField()
    )
    steps = Step.objects.filter(Q(due_at__lte=now + SOON) | ~Q(deadline_label=""), due_at__isnull=False)
    steps = steps.exclude(status__in=Step.CLOSED).exclude(incident__status__in=Incident.OVER)
    if incident_ids is not None:
        steps = steps.filter(incident__in=incident_ids)
    columns = ["incident_id", "id", "number", "title", "due_at", "deadline_label", "owner_id"]
    columns += ["incident__severity", "incident__declared_at", "begins"]
    rows = steps.annotate(begins=begins).order_by("due_at", "pk").values_list(*columns)
    return [OpenStep._make(row) for row in rows]


def _of_requests(now: datetime, incident_ids: Collection[UUID] | None) -> Iterable[Due]:
    waiting = Action.objects.filter(
        status=Action.Status.AWAITING_APPROVAL, requested_at__isnull=False, expires_at__gt=now
    ).exclude(incident__status__in=Incident.OVER)
    if incident_ids is not None:
        waiting = waiting.filter(incident__in=incident_ids)
    columns = ["incident_id", "pk", "number", "requested_by__name", "requested_at", "expires_at", "authors"]
    for request in (Request._make(row) for row in waiting.order_by("expires_at", "pk").values_list(*columns)):
        if stage := request_stage(request.asked_at, request.expires_at, now):
            yield Due(request.incident_id, f"action:{request.id}", stage, request)

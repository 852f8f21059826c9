"""The list of incidents, for somebody: running ones first, the most severe first; closed ones by keyset."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from runbooks.access.permissions import Actor
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.affected_accounts.queries import GroupCounts, group_counts_of
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incidents_of
from runbooks.presentation import clock, plural, span

PAGE = 25
Show = Literal["all", "running", "over", "exercises"]


@dataclass(frozen=True, slots=True)
class ListFilter:
    text: str = ""
    show: Show = "all"
    severity: int | None = None
    runbook: str = ""
    before: str = ""
    """Cursor: reference of the last incident over that was shown."""

    @property
    def is_set(self) -> bool:
        return bool(self.text or self.show != "all" or self.severity or self.runbook)


@dataclass(frozen=True, slots=True)
class Line:
    """One incident as the list says it."""

    incident: Incident
    counts: GroupCounts
    late_steps: int
    next_deadline: str
    elapsed: str
    declared: str
    accounts: str
    closed: str


@dataclass(frozen=True, slots=True)
class IncidentList:
    running: list[Line]
    over: list[Line]
    totals: dict[str, int]
    next_before: str


def incident_list(actor: Actor, wanted: ListFilter, now: datetime) -> IncidentList:
    """A constant number of queries, whatever the incidents hold."""
    mine = incidents_of(actor)
    totals = mine.aggregate(
        all=Count("pk"),
        running=Count("pk", filter=~Q(status__in=Incident.OVER)),
        over=Count("pk", filter=Q(status__in=Incident.OVER)),
        exercises=Count("pk", filter=Q(is_exercise=True)),
    )
    found = _filtered(mine, wanted)
    running: list[Incident] = []
    if not wanted.before and wanted.show != "over":
        running = list(found.exclude(status__in=Incident.OVER).order_by("severity", "-declared_at")[:100])
    over: list[Incident] = []
    if wanted.show != "running":
        over = list(_after(found.filter(status__in=Incident.OVER), _last(mine, wanted.before))[: PAGE + 1])
    lines = _lines([*running, *over[:PAGE]], now)
    return IncidentList(
        running=lines[: len(running)],
        over=lines[len(running) :],
        totals=totals,
        next_before=over[PAGE - 1].reference if len(over) > PAGE else "",
    )


def _filtered(incidents: QuerySet[Incident], wanted: ListFilter) -> QuerySet[Incident]:
    if wanted.text:
        with_account = AffectedAccount.objects.filter(login__istartswith=wanted.text).values("incident_id")
        incidents = incidents.filter(
            Q(reference__icontains=wanted.text)
            | Q(title__icontains=wanted.text)
            | Q(codename__icontains=wanted.text)
            | Q(pk__in=with_account)
        )
    if wanted.show == "exercises":
        incidents = incidents.filter(is_exercise=True)
    if wanted.severity:
        incidents = incidents.filter(severity=wanted.severity)
    if wanted.runbook:
        incidents = incidents.filter(runbook_slug=wanted.runbook)
    return incidents


def _last(mine: QuerySet[Incident], before: str) -> tuple[datetime, UUID] | None:
    """The place of the incident that was shown last; somebody else's has none here, so that its time stays unknown."""
    return mine.filter(reference=before).values_list("declared_at", "id").first() if before else None


def _after(incidents: QuerySet[Incident], last: tuple[datetime, UUID] | None) -> QuerySet[Incident]:
    if last:
        declared_at, pk = last
        incidents = incidents.filter(Q(declared_at__lt=declared_at) | Q(declared_at=declared_at, id__lt=pk))
    return incidents.order_by("-declared_at", "-id")


def _lines(incidents: Sequence[Incident], now: datetime) -> list[Line]:
    ids = [incident.pk for incident in incidents]
    counts = group_counts_of(ids)
    late, deadlines = _steps_of(ids, now)
    zone = ZoneInfo(settings.INSTITUTION_TIME_ZONE)
    lines = []
    for incident in incidents:
        count = counts.get(incident.pk, GroupCounts())
        ended = incident.closed_at or now
        lines.append(
            Line(
                incident=incident,
                counts=count,
                late_steps=late[incident.pk],
                next_deadline=deadlines.get(incident.pk, ""),
                elapsed=span(ended - incident.declared_at),
                declared=clock(incident.declared_at, zone, now),
                accounts=_accounts(count),
                closed=clock(incident.closed_at, zone, now) if incident.closed_at else "",
            )
        )
    return lines


def _accounts(count: GroupCounts) -> str:
    if not count.total:
        return "No accounts"
    return f"{plural(count.total, 'account')}, {count.compromised:,} compromised"


def _steps_of(ids: Sequence[UUID], now: datetime) -> tuple[Counter[UUID], dict[UUID, str]]:
    """Late steps an incident, and the words of its next outside deadline."""
    late: Counter[UUID] = Counter()
    deadlines: dict[UUID, str] = {}
    due = (
        Step.objects.filter(incident_id__in=ids, due_at__isnull=False)
        .exclude(status__in=Step.CLOSED)
        .order_by("due_at")
        .values_list("incident_id", "deadline_label", "due_at")
    )
    for incident_id, label, due_at in due:
        if due_at is None:
            continue
        late[incident_id] += due_at < now
        if label and incident_id not in deadlines:
            left = f"{span(now - due_at)} late" if due_at < now else f"{span(due_at - now)} left"
            deadlines[incident_id] = f"{label}: {left}"
    return late, deadlines

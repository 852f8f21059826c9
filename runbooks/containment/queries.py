"""Reading an incident's steps. Whatever the number of steps, evidence and accounts, a reading is a few queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from runbooks.access.models import User
from runbooks.access.permissions import Actor
from runbooks.containment.blocking import blockers, open_dependencies
from runbooks.containment.models import Evidence, Step
from runbooks.containment.progress import Progress, account_counts
from runbooks.errors import NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import role_kinds_of
from runbooks.timeline.models import TimelineEvent

SOON = timedelta(hours=1)


class StepLine(NamedTuple):
    """A step without its instruction: a plain row, because a list of forty is read on every page."""

    id: int
    key: str
    number: str
    phase: str
    phase_title: str
    title: str
    role: str
    scope: str
    depends_on: list[str]
    due_at: datetime | None
    deadline_label: str
    evidence_required: list[dict[str, str]]
    reversible_by: str
    two_person: bool
    fact: str
    tiers: list[str]
    is_added: bool
    status: str
    owner_id: int | None
    owner_name: str | None
    started_at: datetime | None
    closed_at: datetime | None
    closed_by: str
    waived_reason: str
    version: int

    @property
    def is_closed(self) -> bool:
        return self.status in Step.CLOSED

    def is_late(self, now: datetime) -> bool:
        return self.due_at is not None and self.due_at < now and not self.is_closed


_COLUMNS = tuple("owner__name" if name == "owner_name" else name for name in StepLine._fields)


def step_lines(incident_id: UUID) -> list[StepLine]:
    """All steps of the incident, in order, with their owners' names: one query."""
    rows = Step.objects.filter(incident_id=incident_id).order_by("position").values_list(*_COLUMNS)
    return [StepLine._make(row) for row in rows]


@dataclass(frozen=True, slots=True)
class StepState:
    """A step and what is worked out about it at a moment."""

    line: StepLine
    waits_for: Sequence[StepLine]
    """Open steps it depends on: it cannot be completed before they are closed."""
    blocked_by: Sequence[StepLine]
    """Those of them that keep it from being started."""
    is_late: bool
    is_mine: bool
    """Open, and the actor's own, or nobody's but of a role the actor holds in the incident."""
    evidence_there: int
    """Rules of the step that some evidence satisfies."""
    progress: Progress | None
    """Of a step for each account; None for a step of the incident."""

    @property
    def is_open(self) -> bool:
        return not self.line.is_closed

    @property
    def is_blocked(self) -> bool:
        return self.is_open and bool(self.blocked_by)


def step_states(incident: Incident, actor: Actor, now: datetime) -> list[StepState]:
    """Every step with its state, in four queries: steps, roles held, evidence, accounts."""
    lines = step_lines(incident.pk)
    satisfied = _satisfied(incident.pk)
    accounts = account_counts(incident.pk) if any(line.scope == Step.Scope.ACCOUNT for line in lines) else None
    return [
        replace(
            state,
            evidence_there=len(
                satisfied.get(state.line.id, set()) & {rule["key"] for rule in state.line.evidence_required}
            ),
            progress=accounts.progress(state.line.fact, state.line.tiers)
            if accounts and state.line.scope == Step.Scope.ACCOUNT
            else None,
        )
        for state in _bare_states(lines, role_kinds_of(actor, incident.pk), actor, now)
    ]


def _bare_states(lines: list[StepLine], roles: set[str], actor: Actor, now: datetime) -> list[StepState]:
    """States without evidence and accounts, which cost a query each."""
    by_key = {line.key: line for line in lines}
    return [
        StepState(
            line=line,
            waits_for=open_dependencies(line, by_key),
            blocked_by=blockers(line, by_key),
            is_late=line.is_late(now),
            is_mine=not line.is_closed and _is_mine(line, roles, actor),
            evidence_there=0,
            progress=None,
        )
        for line in lines
    ]


def _is_mine(line: StepLine, roles: set[str], actor: Actor) -> bool:
    if line.owner_id is not None:
        return line.owner_id == actor.user_id
    return line.role in roles


def _satisfied(incident_id: UUID) -> dict[int, set[str]]:
    """For each step, the keys that evidence names: as many rows as there are rules, however much evidence there is."""
    rows = (
        Evidence.objects.filter(step__incident_id=incident_id, withdrawn_at__isnull=True)
        .exclude(requirement="")
        .values_list("step_id", "requirement")
        .distinct()
    )
    found: dict[int, set[str]] = {}
    for step_id, requirement in rows:
        found.setdefault(step_id, set()).add(requirement)
    return found


@dataclass(frozen=True, slots=True)
class StepCounts:
    """Numbers of steps, for filters and tabs; `mine`, `late` and `blocked` count open steps."""

    total: int
    closed: int
    mine: int
    late: int
    blocked: int

    @property
    def open(self) -> int:
        return self.total - self.closed


def count_states(states: Iterable[StepState]) -> StepCounts:
    states = list(states)
    return StepCounts(
        total=len(states),
        closed=sum(not state.is_open for state in states),
        mine=sum(state.is_mine for state in states),
        late=sum(state.is_late for state in states),
        blocked=sum(state.is_blocked for state in states),
    )


def counts(incident: Incident, actor: Actor, now: datetime) -> StepCounts:
    """Two queries."""
    return count_states(_bare_states(step_lines(incident.pk), role_kinds_of(actor, incident.pk), actor, now))


def late_count(incident_id: UUID, now: datetime) -> int:
    return Step.objects.filter(incident_id=incident_id, due_at__lt=now).exclude(status__in=Step.CLOSED).count()


@dataclass(frozen=True, slots=True)
class DueStep:
    """An open step that can be worked now."""

    key: str
    number: str
    title: str
    role: str
    """IncidentRole.Kind"""
    owner_name: str | None
    due_at: datetime | None
    is_late: bool
    is_running: bool
    two_person: bool


@dataclass(frozen=True, slots=True)
class DueSteps:
    """What the actor can work on, most urgent first, and how many steps are late or soon due for anybody."""

    mine: Sequence[DueStep]
    mine_total: int
    late: int
    soon: int
    """Due within an hour."""


def due_steps(incident: Incident, actor: Actor, now: datetime, limit: int = 8) -> DueSteps:
    """What needs the actor now: their open steps that nothing blocks. Two queries."""
    states = _bare_states(step_lines(incident.pk), role_kinds_of(actor, incident.pk), actor, now)
    workable = [state for state in states if state.is_open and not state.is_blocked]
    mine = sorted((state for state in workable if state.is_mine), key=_urgency)
    soon = sum(state.line.due_at is not None and now <= state.line.due_at <= now + SOON for state in workable)
    return DueSteps(
        mine=[_due(state) for state in mine[:limit]],
        mine_total=len(mine),
        late=sum(state.is_late for state in workable),
        soon=soon,
    )


def _urgency(state: StepState) -> tuple[bool, float]:
    """The earliest due first; those without a due time last, in the runbook's order."""
    due = state.line.due_at
    return due is None, due.timestamp() if due else 0.0


def _due(state: StepState) -> DueStep:
    line = state.line
    return DueStep(
        key=line.key,
        number=line.number,
        title=line.title,
        role=line.role,
        owner_name=line.owner_name,
        due_at=line.due_at,
        is_late=state.is_late,
        is_running=line.status == Step.Status.RUNNING,
        two_person=line.two_person,
    )


@dataclass(frozen=True, slots=True)
class Deadline:
    """A step whose time somebody outside set. `share` is the time used between declaration and due time, 0 to 100."""

    key: str
    number: str
    label: str
    due_at: datetime
    closed_at: datetime | None
    is_waived: bool
    is_late: bool
    """Not met, and past its time."""
    was_late: bool
    """Met after its time."""
    share: int


def deadlines(incident: Incident, now: datetime) -> list[Deadline]:
    """The incident's outside deadlines, the earliest first: one query."""
    steps = (
        Step.objects.filter(incident_id=incident.pk, due_at__isnull=False)
        .exclude(deadline_label="")
        .order_by("due_at", "position")
        .values_list("key", "number", "deadline_label", "due_at", "closed_at", "status")
    )
    return [
        _deadline(incident, now, key, number, label, due_at, closed_at, status)
        for key, number, label, due_at, closed_at, status in steps
        if due_at is not None
    ]


def _deadline(
    incident: Incident,
    now: datetime,
    key: str,
    number: str,
    label: str,
    due_at: datetime,
    closed_at: datetime | None,
    status: str,
) -> Deadline:
    whole, used = due_at - incident.declared_at, (closed_at or now) - incident.declared_at
    return Deadline(
        key=key,
        number=number,
        label=label,
        due_at=due_at,
        closed_at=closed_at,
        is_waived=status == Step.Status.SKIPPED,
        is_late=closed_at is None and due_at < now,
        was_late=closed_at is not None and due_at < closed_at and status == Step.Status.SUCCEEDED,
        share=max(0, min(100, round(100 * used / whole))) if whole else 100,
    )


def step_for(incident_id: UUID, key: str) -> Step:
    """The whole step with its owner; NotFoundError when the incident has none of that key."""
    step = Step.objects.select_related("owner").filter(incident_id=incident_id, key=key).first()
    if step is None:
        raise NotFoundError("There is no such step in this incident.")
    return step


def evidence_of(step_id: int) -> list[Evidence]:
    """The step's evidence as it was added, withdrawn pieces included."""
    return list(Evidence.objects.filter(step_id=step_id).order_by("added_at", "pk"))


def evidence_file(incident_id: UUID, key: str, evidence_id: int) -> Evidence:
    """A file of the step; NotFoundError for anything else."""
    found = Evidence.objects.filter(
        pk=evidence_id, step__incident_id=incident_id, step__key=key, kind=Evidence.Kind.FILE
    ).first()
    if found is None:
        raise NotFoundError("There is no such file on this step.")
    return found


def entry_count(step_id: int) -> int:
    """How many entries of the timeline are about the step."""
    return TimelineEvent.objects.filter(step_id=step_id).count()


def possible_owners(incident_id: UUID) -> QuerySet[User]:
    """Who a step can be given to: members of the incident who can sign in and who may work in it."""
    is_member = Q(memberships__incident_id=incident_id, memberships__ended_at__isnull=True)
    return User.objects.filter(is_member, is_active=True).exclude(role="auditor").order_by("name", "pk")


def instructions(incident_id: UUID) -> Mapping[str, str]:
    """The instruction of every step by its key, for the printed checklist."""
    return dict(Step.objects.filter(incident_id=incident_id).values_list("key", "instruction"))

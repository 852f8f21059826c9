"""Reading an incident's steps. Whatever the number of steps, evidence and accounts, a reading is a few queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from runbooks.access.models import User
from runbooks.access.permissions import Actor
from runbooks.containment.blocking import blockers, open_dependencies
from runbooks.containment.models import Evidence, Step
from runbooks.containment.progress import AccountCounts, Progress, account_counts
from runbooks.errors import NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.snapshot import at_head
from runbooks.timeline.models import TimelineEvent

SOON = timedelta(hours=1)


LINES = """
SELECT step.id, step.key, step.number, step.phase, step.phase_title, step.title, step.role, step.scope,
    step.depends_on, step.due_at, step.reversible_by, step.two_person, step.fact, step.tiers, step.is_added,
    step.status, step.owner_id, owner.name, step.started_at, step.closed_at, step.closed_by, step.waived_reason,
    EXISTS (
        SELECT FROM runbooks_incidentrole held
        WHERE held.incident_id = step.incident_id AND held.user_id = %s::bigint AND held.kind = step.role
            AND held.until IS NULL
    ),
    jsonb_array_length(step.evidence_required),
    (
        SELECT count(DISTINCT piece.requirement) FROM runbooks_evidence piece
        WHERE piece.step_id = step.id AND piece.withdrawn_at IS NULL
            AND step.evidence_required @> jsonb_build_array(jsonb_build_object('key', piece.requirement))
    )
FROM runbooks_step step LEFT JOIN runbooks_user owner ON owner.id = step.owner_id
WHERE step.incident_id = %s
ORDER BY step.position
"""


class StepLine(NamedTuple):
    """A step without its instruction: a plain row, because a list of forty is read for every view of it."""

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
    is_of_my_role: bool
    """Whether the person who asks holds its role in the incident."""
    evidence_asked: int
    """Rules that ask for evidence."""
    evidence_there: int
    """Those of them that some evidence satisfies, however much of it."""

    @property
    def is_closed(self) -> bool:
        return self.status in Step.CLOSED

    def is_late(self, now: datetime) -> bool:
        return self.due_at is not None and self.due_at < now and not self.is_closed


def step_lines(incident_id: UUID, user_id: int | None = None) -> list[StepLine]:
    """All steps of the incident, in order, as that person sees them: one query."""
    with connection.cursor() as cursor:
        cursor.execute(LINES, [user_id, incident_id])
        return [StepLine._make(row) for row in cursor.fetchall()]


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
    progress: Progress | None
    """Of a step for each account; None for a step of the incident."""

    @property
    def is_open(self) -> bool:
        return not self.line.is_closed

    @property
    def is_blocked(self) -> bool:
        return self.is_open and bool(self.blocked_by)


def step_states(incident: Incident, actor: Actor, now: datetime) -> list[StepState]:
    """Every step with its state, in two queries: steps, and accounts where they changed."""
    lines = step_lines(incident.pk, actor.user_id)
    accounts = None
    if any(line.scope == Step.Scope.ACCOUNT for line in lines):
        accounts = at_head(incident, "steps-accounts", account_counts)
    return _states(lines, accounts, actor, now)


def _states(lines: Sequence[StepLine], accounts: AccountCounts | None, actor: Actor, now: datetime) -> list[StepState]:
    by_key = {line.key: line for line in lines}
    return [
        StepState(
            line=line,
            waits_for=open_dependencies(line, by_key),
            blocked_by=blockers(line, by_key),
            is_late=line.is_late(now),
            is_mine=not line.is_closed and _is_mine(line, actor),
            progress=accounts.progress(line.fact, line.tiers)
            if accounts and line.scope == Step.Scope.ACCOUNT
            else None,
        )
        for line in lines
    ]


def _is_mine(line: StepLine, actor: Actor) -> bool:
    return line.is_of_my_role if line.owner_id is None else line.owner_id == actor.user_id


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
    """One query."""
    return count_states(_states(step_lines(incident.pk, actor.user_id), None, actor, now))


def due_times(incident_id: UUID) -> list[datetime]:
    """When the open steps are due, those with no set time left out: one query."""
    steps = Step.objects.filter(incident_id=incident_id, due_at__isnull=False).exclude(status__in=Step.CLOSED)
    return [due_at for due_at in steps.values_list("due_at", flat=True) if due_at is not None]


def late_count(incident_id: UUID, now: datetime) -> int:
    return sum(due_at < now for due_at in due_times(incident_id))


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
    """What needs the actor now: their open steps that nothing blocks. One query."""
    states = _states(step_lines(incident.pk, actor.user_id), None, actor, now)
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


class DeadlineStep(NamedTuple):
    """What a deadline is worked out from."""

    key: str
    number: str
    label: str
    due_at: datetime
    closed_at: datetime | None
    status: str


def deadline_steps(incident_id: UUID) -> list[DeadlineStep]:
    """The steps whose time somebody outside set, the earliest first: one query."""
    steps = (
        Step.objects.filter(incident_id=incident_id, due_at__isnull=False)
        .exclude(deadline_label="")
        .order_by("due_at", "position")
        .values_list("key", "number", "deadline_label", "due_at", "closed_at", "status")
    )
    return [DeadlineStep._make(step) for step in steps]


def deadlines(incident: Incident, now: datetime, steps: Sequence[DeadlineStep] | None = None) -> list[Deadline]:
    """The incident's outside deadlines, the earliest first: one query where the steps are not given."""
    return [_deadline(incident, now, step) for step in (deadline_steps(incident.pk) if steps is None else steps)]


def _deadline(incident: Incident, now: datetime, step: DeadlineStep) -> Deadline:
    whole, used = step.due_at - incident.declared_at, (step.closed_at or now) - incident.declared_at
    return Deadline(
        key=step.key,
        number=step.number,
        label=step.label,
        due_at=step.due_at,
        closed_at=step.closed_at,
        is_waived=step.status == Step.Status.SKIPPED,
        is_late=step.closed_at is None and step.due_at < now,
        was_late=step.closed_at is not None and step.due_at < step.closed_at and step.status == Step.Status.SUCCEEDED,
        share=max(0, min(100, round(100 * used / whole))) if whole else 100,
    )


def step_for(incident_id: UUID, key: str) -> Step:
    """The whole step with its owner; NotFoundError when the incident has none of that key."""
    step = Step.objects.select_related("owner").filter(incident_id=incident_id, key=key).first()
    if step is None:
        raise NotFoundError("There is no such step in this incident.")
    return step


def evidence_of(step_id: int) -> list[Evidence]:
    """The step's evidence as it was added, withdrawn pieces included, each with the file of the incident that it is."""
    return list(Evidence.objects.select_related("attachment").filter(step_id=step_id).order_by("added_at", "pk"))


def evidence_file(incident_id: UUID, key: str, evidence_id: int) -> Evidence:
    """A file of the step; NotFoundError for anything else."""
    found = (
        Evidence.objects.select_related("step", "attachment__stored")
        .filter(pk=evidence_id, step__incident_id=incident_id, step__key=key, kind=Evidence.Kind.FILE)
        .first()
    )
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


class StepText(NamedTuple):
    """What a step says to whoever does it: Markdown, the labels of its evidence, how it is counted."""

    instruction: str
    evidence: list[str]
    counted: str


def step_texts(incident_id: UUID) -> Mapping[str, StepText]:
    """The texts of every step by its key, for the printed checklist."""
    rows = Step.objects.filter(incident_id=incident_id).values_list(
        "key", "instruction", "evidence_required", "counted"
    )
    return {
        key: StepText(instruction, [rule["label"] for rule in rules], counted)
        for key, instruction, rules, counted in rows
    }

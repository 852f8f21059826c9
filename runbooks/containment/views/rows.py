"""How steps are said on their page: everything a row shows, in words, before the template loops over it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.urls import reverse

from runbooks.access.permissions import Actor, can
from runbooks.containment.models import Step
from runbooks.containment.queries import StepCounts, StepLine, StepState
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.presentation import clock, plural, span, time_left

NEAR = timedelta(hours=24)
ROLES: Mapping[str, str] = dict(IncidentRole.Kind.choices)
SHOWS = ("all", "open", "mine", "overdue", "blocked")
NOBODY, ROLE_PREFIX = "nobody", "role:"


@dataclass(frozen=True, slots=True)
class Mark:
    """Shape, hue and word of a state; never one without the others."""

    icon: str
    hue: str
    word: str


DONE, WAIVED = Mark("done", "m-done", "Done"), Mark("waived", "m-waived", "Waived")
OVERDUE, BLOCKED = Mark("overdue", "m-bad", "Overdue"), Mark("blocked", "m-blocked", "Blocked")
DOING, TODO = Mark("doing", "m-doing", "In progress"), Mark("todo", "m-todo", "Not started")


@dataclass(frozen=True, slots=True)
class Flag:
    icon: str
    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """The one thing a row offers: a link, or a button that posts."""

    label: str
    icon: str
    address: str
    posts: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    number: str
    title: str
    address: str
    mark: Mark
    css: str
    flags: Sequence[Flag]
    count: str
    """"84 of 90", for a step for each account that a fact counts."""
    share: str
    """Of the bar, 0 to 100."""
    owner: str
    role: str
    due: str
    due_tone: str
    due_more: str
    action: Action | None
    is_expanded: bool


@dataclass(frozen=True, slots=True)
class PhaseRows:
    key: str
    number: str
    title: str
    mark: Mark
    closed: int
    total: int
    late: int
    share: str
    rows: Sequence[Row]
    is_current: bool
    """Holds the step that is open on the page."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks to see; `opened` is the key of the step that is shown whole."""

    show: str = "all"
    owner: str = ""
    opened: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str], opened: str | None = None) -> "Wanted":
        """From a query string; nonsense in it counts as not asked."""
        show, owner = given.get("show", "all"), given.get("owner", "")
        is_owner = owner == NOBODY or owner.isdecimal() or owner.removeprefix(ROLE_PREFIX) in ROLES
        return cls(
            show=show if show in SHOWS else "all",
            owner=owner if is_owner else "",
            opened=(given.get("open", "") if opened is None else opened)[:80],
        )

    def query(self, **changes: str) -> str:
        """The query string with changes, empty parts left out."""
        parts = {"show": self.show if self.show != "all" else "", "owner": self.owner, "open": self.opened, **changes}
        kept = {name: value for name, value in parts.items() if value}
        return f"?{urlencode(kept)}" if kept else ""

    def admits(self, state: StepState) -> bool:
        if state.line.key == self.opened:
            return True
        return _is_shown(state, self.show) and _is_owned(state.line, self.owner)


def _is_shown(state: StepState, show: str) -> bool:
    answers = {"open": state.is_open, "mine": state.is_mine, "overdue": state.is_late, "blocked": state.is_blocked}
    return answers.get(show, True)


def _is_owned(line: StepLine, owner: str) -> bool:
    if owner == NOBODY:
        return line.owner_id is None
    if owner.startswith(ROLE_PREFIX):
        return line.role == owner.removeprefix(ROLE_PREFIX)
    return not owner or line.owner_id == int(owner)


@dataclass(frozen=True, slots=True)
class Wording:
    """Who looks at which incident and when: what the words of a row depend on."""

    incident: Incident
    actor: Actor
    now: datetime
    wanted: Wanted

    @property
    def zone(self) -> ZoneInfo:
        return self.incident.zone

    @property
    def page(self) -> str:
        return reverse("steps", args=[self.incident.reference])

    def step_address(self, key: str) -> str:
        return f"{self.page}{self.wanted.query(open=key)}#step-{key}"

    def verb_address(self, key: str, verb: str) -> str:
        """Where a form about a step posts to; the filter goes along, so that the answer shows the same list."""
        return f"{reverse(f'step_{verb}', args=[self.incident.reference, key])}{self.wanted.query(open='')}"

    @property
    def may_work(self) -> bool:
        return can(self.actor, "work_steps") and not self.incident.is_over


def phases(states: Sequence[StepState], wording: Wording) -> list[PhaseRows]:
    """Every phase with its counts, and the rows of it that the filter admits."""
    page, zone = wording.page, wording.zone
    found = []
    for number, (_, group) in enumerate(groupby(states, key=lambda state: state.line.phase), start=1):
        within = list(group)
        closed, late = sum(not state.is_open for state in within), sum(state.is_late for state in within)
        found.append(
            PhaseRows(
                key=within[0].line.phase,
                number=str(number),
                title=within[0].line.phase_title,
                mark=_phase_mark(within, closed, late),
                closed=closed,
                total=len(within),
                late=late,
                share=f"{100 * closed / len(within):.0f}",
                rows=[_row(state, wording, page, zone) for state in within if wording.wanted.admits(state)],
                is_current=any(state.line.key == wording.wanted.opened for state in within),
            )
        )
    return found


def _phase_mark(states: Sequence[StepState], closed: int, late: int) -> Mark:
    if closed == len(states):
        return DONE
    if late:
        return Mark(OVERDUE.icon, OVERDUE.hue, "Overdue step")
    is_begun = closed or any(state.line.status == Step.Status.RUNNING for state in states)
    return DOING if is_begun else TODO


def mark(state: StepState) -> Mark:
    """Late weighs more than blocked, and blocked more than begun: the flags say the rest."""
    if state.line.status == Step.Status.SKIPPED:
        return WAIVED
    if state.line.is_closed:
        return DONE
    if state.is_late:
        return OVERDUE
    if state.is_blocked:
        return BLOCKED
    return DOING if state.line.status == Step.Status.RUNNING else TODO


def _row(state: StepState, wording: Wording, page: str, zone: ZoneInfo) -> Row:
    line, progress = state.line, state.progress
    is_expanded = line.key == wording.wanted.opened
    due, due_tone, due_more = _due(state, wording.now, zone)
    counted = progress is not None and progress.done is not None
    return Row(
        key=line.key,
        number=line.number,
        title=line.title,
        address=f"{page}{wording.wanted.query(open=line.key)}#step-{line.key}",
        mark=mark(state),
        css=" open" if is_expanded else " is-closed" if line.is_closed else "",
        flags=_flags(state),
        count=f"{progress.done:,} of {progress.total:,}" if progress and counted else "",
        share=_share(progress.done or 0, progress.total) if progress and counted else "",
        owner=line.owner_name or ROLES[line.role],
        role=ROLES[line.role] if line.owner_name else "",
        due=due,
        due_tone=due_tone,
        due_more=due_more,
        action=None if is_expanded else _action(state, wording),
        is_expanded=is_expanded,
    )


def _share(done: int, total: int) -> str:
    return f"{100 * done / total:.0f}" if total else "0"


def _flags(state: StepState) -> list[Flag]:
    line = state.line
    flags = [*_progress_flags(state)]
    if state.is_blocked:
        flags.append(Flag("blocked", f"Blocked by {_numbers(state.blocked_by)}", "wait"))
    elif state.is_open and state.waits_for:
        flags.append(Flag("clock", f"Follows {_numbers(state.waits_for)} account by account"))
    if line.evidence_required:
        asked = len(line.evidence_required)
        tone = "bad" if state.is_late and state.evidence_there < asked else ""
        flags.append(Flag("clip", f"{state.evidence_there} of {asked} evidence", tone))
    if line.status == Step.Status.SKIPPED:
        flags.append(Flag("waived", f"Waived by {line.closed_by}: {line.waived_reason}"))
    if line.two_person and state.is_open:
        flags.append(Flag("two", "Needs 2 people"))
    if line.reversible_by:
        flags.append(Flag("undo", "Can be rolled back"))
    if line.is_added:
        flags.append(Flag("plus", "Added to this incident"))
    return flags


def _progress_flags(state: StepState) -> Iterable[Flag]:
    progress = state.progress
    if progress is None:
        return
    if progress.done is None:
        yield Flag("user", f"For each of {plural(progress.total, 'account')}")
    elif progress.left and not state.is_open:
        yield Flag("warn", f"{plural(progress.left, 'account')} left", "wait")


def _numbers(lines: Sequence[StepLine]) -> str:
    return ", ".join(line.number for line in lines)


def _due(state: StepState, now: datetime, zone: ZoneInfo) -> tuple[str, str, str]:
    """The time a step is due or was closed: main words, their tone, and a second line."""
    line = state.line
    if line.closed_at is not None:
        word = "Waived" if line.status == Step.Status.SKIPPED else "Done"
        return f"{word} {clock(line.closed_at, zone, now)}", "", ""
    if line.due_at is None:
        return "No set time", "muted", ""
    at = clock(line.due_at, zone, now)
    if state.is_late:
        return time_left(line.due_at, now), "bad", f"was due {at}"
    left = line.due_at - now
    return f"Due {at}", "", f"in {span(left)}" if left <= NEAR else ""


def _action(state: StepState, wording: Wording) -> Action | None:
    line = state.line
    if line.is_closed or not wording.may_work:
        return None
    if line.owner_id is None and not state.is_blocked:
        return Action("Claim", "user", wording.verb_address(line.key, "claim"), posts=True)
    is_own = line.owner_id == wording.actor.user_id
    if is_own and line.status == Step.Status.PENDING and not state.is_blocked:
        return Action("Start", "right", wording.verb_address(line.key, "start"), posts=True)
    if line.fact and state.progress and state.progress.left and line.status == Step.Status.RUNNING:
        return Action(f"Open {state.progress.left:,} left", "right", queue_address(wording.incident, line))
    return None


def queue_address(incident: Incident, line: StepLine) -> str:
    """The accounts for which the step is not done."""
    asked = {"missing": line.fact, "segment": "compromised"}
    if len(line.tiers) == 1:
        asked["tier"] = line.tiers[0]
    return f"{reverse('accounts', args=[incident.reference])}?{urlencode(asked)}"


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str
    is_chosen: bool


def show_choices(counts: StepCounts, wanted: Wanted, page: str) -> list[tuple[str, str, bool]]:
    """The segments above the list: address, words with the number, whether it is the chosen one."""
    numbers = {
        "all": ("All", counts.total),
        "open": ("Open", counts.open),
        "mine": ("Mine", counts.mine),
        "overdue": ("Overdue", counts.late),
        "blocked": ("Blocked", counts.blocked),
    }
    return [
        (f"{page}{wanted.query(show=show if show != 'all' else '', open='')}", f"{label} {count}", wanted.show == show)
        for show, (label, count) in numbers.items()
    ]


def owner_choices(states: Sequence[StepState], wanted: Wanted) -> tuple[list[Choice], list[Choice]]:
    """Roles and people that steps belong to, for the two groups of the owner list."""
    roles = {state.line.role for state in states}
    people = {state.line.owner_id: state.line.owner_name or "" for state in states if state.line.owner_id}
    in_roles = [
        Choice(f"{ROLE_PREFIX}{key}", label, wanted.owner == f"{ROLE_PREFIX}{key}")
        for key, label in ROLES.items()
        if key in roles
    ]
    by_name = sorted(people.items(), key=lambda person: person[1])
    return in_roles, [Choice(str(pk), name, wanted.owner == str(pk)) for pk, name in by_name]

"""How steps are said on their page: everything a row shows, in words, before the template loops over it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from typing import NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.safestring import SafeString

from runbooks.access.http import whole_number
from runbooks.access.permissions import Actor, can
from runbooks.containment.models import Step
from runbooks.containment.queries import StepCounts, StepLine, StepState
from runbooks.containment.views.markup import (
    NOTHING,
    Action,
    Flag,
    Mark,
    action_markup,
    count_markup,
    flags_markup,
    hide_markup,
    row_markup,
    two_lines,
)
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.presentation import clock, plural, span, time_left

NEAR = timedelta(hours=24)
ROLES: Mapping[str, str] = dict(IncidentRole.Kind.choices)
SHOWS = ("all", "open", "mine", "overdue", "blocked")
NOBODY, ROLE_PREFIX = "nobody", "role:"


DONE, WAIVED = Mark("done", "m-done", "Done"), Mark("waived", "m-waived", "Waived")
OVERDUE, BLOCKED = Mark("overdue", "m-bad", "Overdue"), Mark("blocked", "m-blocked", "Blocked")
DOING, TODO = Mark("doing", "m-doing", "In progress"), Mark("todo", "m-todo", "Not started")


class Row(NamedTuple):
    """One step of the list; what is shown of the one that is shown whole follows in the template."""

    markup: SafeString
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
        is_person = whole_number(owner) is not None
        is_owner = owner == NOBODY or is_person or owner.removeprefix(ROLE_PREFIX) in ROLES
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


@dataclass(frozen=True)
class Wording:
    """Who looks at which incident and when: what the words of a row depend on."""

    incident: Incident
    actor: Actor
    now: datetime
    wanted: Wanted

    @cached_property
    def zone(self) -> ZoneInfo:
        return self.incident.zone

    @cached_property
    def page(self) -> str:
        return reverse("steps", args=[self.incident.reference])

    @cached_property
    def filtered(self) -> str:
        """The query string of the filter alone."""
        return self.wanted.query(open="")

    @cached_property
    def may_work(self) -> bool:
        return can(self.actor, "work_steps") and not self.incident.is_over

    def step_address(self, key: str) -> str:
        return f"{self.page}{self.filtered}{'&' if self.filtered else '?'}open={key}#step-{key}"

    def verb_address(self, key: str, verb: str) -> str:
        """Where a form about a step posts to.

        The filter goes along, so that the answer shows the same list, and the step's place on the page, so that a
        refusal is in sight.
        """
        return f"{self.page}{key}/{verb}/{self.filtered}#step-{key}"


def phases(states: Sequence[StepState], wording: Wording) -> list[PhaseRows]:
    """Every phase with its counts, and the rows of it that the filter admits."""
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
                rows=[_row(state, wording) for state in within if wording.wanted.admits(state)],
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


def _row(state: StepState, wording: Wording) -> Row:
    line, progress = state.line, state.progress
    is_expanded = line.key == wording.wanted.opened
    counted = progress is not None and progress.done is not None
    flags = count_markup(progress.done or 0, progress.total) if progress and counted else NOTHING
    markup = row_markup(
        css=" open" if is_expanded else " is-closed" if line.is_closed else "",
        key=line.key,
        mark=mark(state),
        number=line.number,
        address=wording.step_address(line.key),
        title=line.title,
        is_expanded=is_expanded,
        flags=flags_markup(flags, _flags(state)),
        owner=two_lines(*owner_words(line)),
        due=two_lines(*due_words(state, wording.now, wording.zone)),
        action=hide_markup(f"{wording.page}{wording.filtered}#step-{line.key}")
        if is_expanded
        else action_markup(_action(state, wording), line.number),
    )
    return Row(markup, is_expanded)


def owner_words(line: StepLine) -> tuple[str, str]:
    """Who has the step with their role; only the role while nobody has it."""
    return (line.owner_name, ROLES[line.role]) if line.owner_name else (ROLES[line.role], "")


def _flags(state: StepState) -> list[Flag]:
    line = state.line
    flags = [*_progress_flags(state)]
    if state.is_blocked:
        flags.append(Flag("blocked", f"Blocked by {_numbers(state.blocked_by)}", "wait"))
    elif state.is_open and state.waits_for:
        flags.append(Flag("clock", f"Follows {_numbers(state.waits_for)} account by account"))
    if line.evidence_asked:
        tone = "bad" if state.is_late and line.evidence_there < line.evidence_asked else ""
        flags.append(Flag("clip", f"{line.evidence_there} of {line.evidence_asked} evidence", tone))
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


def due_words(state: StepState, now: datetime, zone: ZoneInfo) -> tuple[str, str, str]:
    """The time a step is due or was closed: main words, a second line, and the tone of the first."""
    line = state.line
    if line.closed_at is not None:
        word = "Waived" if line.status == Step.Status.SKIPPED else "Done"
        return f"{word} {clock(line.closed_at, zone, now)}", "", ""
    if line.due_at is None:
        return "No set time", "", "muted"
    at = clock(line.due_at, zone, now)
    if state.is_late:
        return time_left(line.due_at, now), f"was due {at}", "bad"
    left = line.due_at - now
    return f"Due {at}", f"in {span(left)}" if left <= NEAR else "", ""


def _action(state: StepState, wording: Wording) -> Action | None:
    line = state.line
    if line.is_closed or not wording.may_work:
        return None
    if line.owner_id is None and not state.is_blocked:
        return Action("Claim", wording.verb_address(line.key, "claim"), posts=True)
    is_own = line.owner_id == wording.actor.user_id
    if is_own and line.status == Step.Status.PENDING and not state.is_blocked:
        return Action("Start", wording.verb_address(line.key, "start"), posts=True)
    if line.fact and state.progress and state.progress.left and line.status == Step.Status.RUNNING:
        return Action(f"Open {state.progress.left:,} left", queue_address(wording.incident, line))
    return None


def queue_address(incident: Incident, line: StepLine) -> str:
    """The accounts for which the step is not done."""
    asked = {"missing": line.fact, "group": "compromised"}
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

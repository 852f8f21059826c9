"""The way back from a lock-down by stages: who is in each, whom its gate holds back, what keeps it waiting."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count

from runbooks.actions.models import Action, ActionAccount, RestorationStage
from runbooks.actions.queries.superseded import OF_EFFECT, on_the_way_back, overtaken
from runbooks.affected_accounts.models import AffectedAccount, State, StateChange
from runbooks.affected_accounts.transitions import BACK_IN_USE
from runbooks.presentation import plural

Selector, Status, RowStatus = RestorationStage.Selector, Action.Status, ActionAccount.Status
OPEN = (Status.DRAFT, Status.AWAITING_APPROVAL, Status.APPROVED, Status.RUNNING, Status.PAUSED)
RUN = (Status.DONE, Status.DONE_WITH_FAILURES, Status.ROLLED_BACK)
PASSES = frozenset({State.TARGETED, State.FALSE_POSITIVE, *BACK_IN_USE})
HARMED = (State.SUSPECTED, State.COMPROMISED)
CHANGED_LATER = "A later action changed it: roll that back first"
# Harm seen on an account of which none was known. From any other state it is a matter of containment, not news.
UNHARMED = ("", State.NOT_ASSESSED, State.TARGETED, State.FALSE_POSITIVE, State.CLEARED, *BACK_IN_USE)


class Candidate(NamedTuple):
    """An account of the lock-down's ledger that is still as the lock-down left it."""

    row_id: int
    account_id: int
    login: str
    department: str
    is_current: bool = True


class StageAction(NamedTuple):
    number: int
    status: str
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class StageNow:
    """A stage as it stands. `ready` are rows of the lock-down's ledger; `held` are such rows and why each waits.

    `restored` and `under_way` count accounts in the stage's own actions, `harmed` those of them that were seen harmed
    after they were given back. `problem` says why no action can be drafted now; it is empty where one
    can. `is_stopped`:
    """

    stage: RestorationStage
    ready: tuple[int, ...]
    held: Mapping[int, str]
    restored: int
    under_way: int
    harmed: int
    actions: tuple[StageAction, ...]
    problem: str = ""
    is_stopped: bool = False

    @property
    def has_run(self) -> bool:
        return any(one.status in RUN for one in self.actions)

    @property
    def total(self) -> int:
        return self.restored + self.under_way + len(self.ready) + len(self.held)


def is_lock_down(action: Action) -> bool:
    """Whether it takes remote access from everyone: that is not asked for without a way back."""
    everyone = action.scope == Action.Scope.EVERYONE and action.undoes_id is None
    return everyone and action.kind == Action.Kind.RESTRICT_REMOTE_ACCESS


def has_stage_run(lock_down: Action) -> bool:
    return Action.objects.filter(stage__lock_down=lock_down, started_at__isnull=False).exists()


def stages_now(lock_down: Action) -> list[StageNow]:
    """Every stage in order. Seven queries at most, whatever the number of accounts."""
    stages = list(RestorationStage.objects.filter(lock_down=lock_down).order_by("position"))
    gates, with_factor = _affected(lock_down.incident_id)
    taken = _taken(lock_down)
    parts = apportion(stages, _candidates(lock_down), gates, with_factor, {pk: sum(one) for pk, one in taken.items()})
    harmed, actions = _harmed(lock_down), _actions(lock_down)
    shown: list[StageNow] = []
    for stage in stages:
        ready, held = parts[stage.pk]
        restored, under_way = taken.get(stage.pk, (0, 0))
        now = StageNow(
            stage, ready, held, restored, under_way, harmed.get(stage.pk, 0), tuple(actions.get(stage.pk, ())), ""
        )
        shown.append(_with_problem(now, lock_down, shown, stages))
    return shown


def apportion(
    stages: Sequence[RestorationStage],
    candidates: Iterable[Candidate],
    gates: Mapping[int, str],
    with_factor: Collection[int],
    taken: Mapping[int, int],
) -> dict[int, tuple[tuple[int, ...], dict[int, str]]]:
    """{stage id: (rows that pass, {row held back: why})}. An account belongs to the first stage that selects it.

    Whom the gate holds back takes no place of a stage's size; whoever finds a stage full belongs to a later one.
    `gates` is {account id: why it waits}, `taken` the places that earlier actions of a stage took.
    """
    ready: dict[int, list[int]] = {stage.pk: [] for stage in stages}
    held: dict[int, dict[int, str]] = {stage.pk: {} for stage in stages}
    named = {stage.pk: {name.strip().lower() for name in stage.names} for stage in stages}
    for one in candidates:
        for stage in stages:
            if not _selects(stage, named[stage.pk], one, with_factor):
                continue
            if why := gates.get(one.account_id) or ("" if one.is_current else CHANGED_LATER):
                held[stage.pk][one.row_id] = why
                break
            if stage.size is None or taken.get(stage.pk, 0) + len(ready[stage.pk]) < stage.size:
                ready[stage.pk].append(one.row_id)
                break
    return {stage.pk: (tuple(ready[stage.pk]), held[stage.pk]) for stage in stages}


def _selects(stage: RestorationStage, names: Collection[str], one: Candidate, with_factor: Collection[int]) -> bool:
    if stage.selector == Selector.REST:
        return True
    if stage.selector == Selector.DEPARTMENTS:
        return one.department.lower() in names
    if one.login.lower() in names:
        return True
    return stage.selector == Selector.SECOND_FACTOR and one.account_id in with_factor


def gate(state: str, *, has_second_factor: bool) -> str:
    """Why an affected account in this state does not get remote access back yet; empty where it may."""
    if state in PASSES:
        return ""
    if state == State.CLEARED:
        return "" if has_second_factor else "Cleared, two-step sign-in not yet set up"
    return f"{State(state).label}, not yet cleared"


def leads_back(kind: str, first: Action) -> bool:
    """Whether undoing `first` by this kind gives back what a lock-down took, be it by undoing an undoing."""
    root = first
    while root.undoes is not None:
        root = root.undoes
    return kind == Action.Kind.RESTORE_REMOTE_ACCESS and is_lock_down(root)


def gates_of(incident_id: UUID) -> dict[int, str]:
    """{account id: why its gate holds it back}. One query."""
    return _affected(incident_id)[0]


def stopped_before(action: Action) -> str:
    """Why a stage's action waits by the stop rule of the stage before; empty where it does not. Three queries."""
    if action.stage is None or action.undoes is None:
        return ""
    before = RestorationStage.objects.filter(lock_down=action.undoes, position__lt=action.stage.position)
    stages, harmed = list(before.order_by("position")), _harmed(action.undoes)
    return _stop_problem([StageNow(stage, (), {}, 0, 0, harmed.get(stage.pk, 0), ()) for stage in stages])


def held_back(action: Action) -> list[str]:
    """Logins on a way back from a lock-down that no longer pass their gate, and were not taken in knowingly."""
    taken_in = action.exclusions.filter(taken_in_at__isnull=False).values("account_id")
    rows = ActionAccount.objects.filter(action=action).exclude(account__in=taken_in)
    affected = AffectedAccount.objects.filter(incident_id=action.incident_id, account__in=rows.values("account_id"))
    found = affected.order_by("login").values_list("login", "state", "mfa_bound_at")
    return [login for login, state, bound_at in found if gate(state, has_second_factor=bound_at is not None)]


def _affected(incident_id: UUID) -> tuple[dict[int, str], set[int]]:
    """{account id: why its gate holds it back}, and the accounts of which two-step sign-in is known."""
    rows = AffectedAccount.objects.filter(incident_id=incident_id).values_list("account_id", "state", "mfa_bound_at")
    gates, with_factor = {}, set()
    for account_id, state, bound_at in rows:
        if why := gate(state, has_second_factor=bound_at is not None):
            gates[account_id] = why
        if bound_at is not None:
            with_factor.add(account_id)
    return gates, with_factor


def _candidates(lock_down: Action) -> list[Candidate]:
    """Who can be put back; before the lock-down has begun, who will be on its list."""
    rows = ActionAccount.objects.filter(action=lock_down).order_by("position")
    columns = ("id", "account_id", "login", "account__department")
    if lock_down.started_at is None:
        return [Candidate(*row) for row in rows.values_list(*columns)]
    changed_later, on_the_way = overtaken(lock_down), on_the_way_back(lock_down)
    rows = rows.filter(status__in=OF_EFFECT, undone_at__isnull=True, before__isnull=False)
    return [
        Candidate(row_id, account_id, login, department, account_id not in changed_later)
        for row_id, account_id, login, department in rows.values_list(*columns)
        if account_id not in on_the_way
    ]


def _taken(lock_down: Action) -> dict[int, tuple[int, int]]:
    """{stage id: (accounts given back, accounts in an action that is not over)}"""
    rows = ActionAccount.objects.filter(action__stage__lock_down=lock_down)
    counted = rows.values_list("action__stage_id", "action__status", "status").annotate(n=Count("id"))
    taken: dict[int, tuple[int, int]] = {}
    for stage_id, action_status, status, count in counted:
        restored, under_way = taken.get(stage_id, (0, 0))
        if status in (RowStatus.DONE, RowStatus.ALREADY) and action_status != Status.ROLLED_BACK:
            restored += count
        elif action_status in OPEN:
            under_way += count
        taken[stage_id] = (restored, under_way)
    return taken


def _actions(lock_down: Action) -> dict[int, list[StageAction]]:
    found: dict[int, list[StageAction]] = {}
    rows = Action.objects.filter(stage__lock_down=lock_down).order_by("number")
    for stage_id, number, status, started_at in rows.values_list("stage_id", "number", "status", "started_at"):
        found.setdefault(stage_id, []).append(StageAction(number, status, started_at))
    return found


def _harmed(lock_down: Action) -> dict[int, int]:
    """{stage id: accounts that were seen harmed after the stage gave them back}. At most two queries."""
    if lock_down.started_at is None:
        return {}
    changes = StateChange.objects.filter(
        incident_id=lock_down.incident_id, at__gt=lock_down.started_at, after__in=HARMED, before__in=UNHARMED
    )
    seen: dict[int, datetime] = {}
    for account_id, changed_at in changes.order_by("at").values_list("affected_account__account_id", "at"):
        seen[account_id] = changed_at
    given_back = ActionAccount.objects.filter(
        action__stage__lock_down=lock_down, account__in=seen, status__in=[RowStatus.DONE, RowStatus.ALREADY]
    )
    harmed: dict[int, set[int]] = {}
    for stage_id, account_id, at in given_back.values_list("action__stage_id", "account_id", "answered_at"):
        if at is not None and seen[account_id] > at:
            harmed.setdefault(stage_id, set()).add(account_id)
    return {stage_id: len(accounts) for stage_id, accounts in harmed.items()}


def _with_problem(
    now: StageNow, lock_down: Action, earlier: Sequence[StageNow], stages: Sequence[RestorationStage]
) -> StageNow:
    problem = _lock_down_problem(lock_down) or _plan_problem(stages) or _order_problem(earlier)
    stopped = "" if problem else _stop_problem(earlier)
    return replace(now, problem=problem or stopped or _own_problem(now), is_stopped=bool(stopped))


def _lock_down_problem(lock_down: Action) -> str:
    if lock_down.started_at is None:
        return "The lock-down has not begun."
    if lock_down.status in (Status.APPROVED, Status.RUNNING):
        return "The lock-down still runs. Wait for its end, or pause it."
    return ""


def _plan_problem(stages: Sequence[RestorationStage]) -> str:
    for stage in stages:
        if stage.selector in (Selector.NAMED, Selector.DEPARTMENTS) and not stage.names:
            return f"“{stage.title}” names nobody yet. Fill it in, or leave that stage out of the plan."
    return ""


def _order_problem(earlier: Sequence[StageNow]) -> str:
    """The one before has run."""
    waiting = next((one for one in earlier if not one.has_run and (one.ready or one.under_way)), None)
    if waiting is not None:
        return f"Waits for stage {waiting.stage.position}, “{waiting.stage.title}”, to run."
    return ""


def _stop_problem(earlier: Sequence[StageNow]) -> str:
    """Not too many were seen harmed again since they came back."""
    if not earlier:
        return ""
    harmed, allowed = sum(one.harmed for one in earlier), earlier[-1].stage.stop_after
    if harmed > allowed:
        return (
            f"Stopped: {plural(harmed, 'account')} of earlier stages {'was' if harmed == 1 else 'were'} seen harmed "
            f"since, {allowed} allowed after “{earlier[-1].stage.title}”."
        )
    return ""


def _own_problem(now: StageNow) -> str:
    if open_ := next((one for one in now.actions if one.status in OPEN), None):
        return f"Action {open_.number} of this stage is not over."
    if not now.ready:
        return (
            f"{plural(len(now.held), 'account')} held back by the gate." if now.held else "Nobody is left to put back."
        )
    return ""

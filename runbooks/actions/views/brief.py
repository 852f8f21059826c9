"""What the second person reads: scope as a sum, what will happen, what holders notice, the way back, and why."""

from dataclasses import dataclass
from datetime import timedelta

from runbooks.actions.models import Action, ActionDecision
from runbooks.actions.queries.listing import GIVE_BACK
from runbooks.actions.queries.scope import (
    Counts,
    Excluded,
    Names,
    TakenIn,
    counts_of,
    decisions_of,
    excluded_logins,
    exclusions_of,
    names_of,
    privileged_logins,
    taken_in,
    undone_before,
)
from runbooks.actions.verbs import MEANINGS, meaning
from runbooks.actions.views.connections import capabilities_of, duration
from runbooks.actions.views.seen import Seen
from runbooks.connectors.base import Action as Verb
from runbooks.connectors.base import Capabilities
from runbooks.presentation import clock, number, plural, span

KEEPING = {
    Action.Kind.LOCK_ACCOUNT: "keep their sign-in",
    Action.Kind.RESTRICT_REMOTE_ACCESS: "keep remote access",
    Action.Kind.END_SESSIONS: "keep their sessions",
    Action.Kind.REQUIRE_PASSWORD_CHANGE: "keep their password",
}


@dataclass(frozen=True, slots=True)
class Effect:
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class Brief:
    """Everything on the left of the page, in words."""

    title: str
    counts: Counts
    scope: str
    counted: str
    reading: str
    already: str
    exclusions: list[Excluded]
    excluded: list[str]
    excluded_said: str
    excluded_more: int
    has_chosen: bool
    taken_in: list[TakenIn]
    privileged: list[str]
    privileged_more: int
    names: Names
    names_from: int
    effects: list[Effect]
    takes: str
    holders_notice: str
    undoing: str
    tested: str
    decisions: list[ActionDecision]


def title_of(action: Action, count: int) -> str:
    if action.undoes is not None:
        what = GIVE_BACK if action.stage_id is not None else f"Roll back action {action.undoes.number}"
        return f"{what} for {plural(count, 'account')}"
    return f"{action.get_kind_display()} for {plural(count, 'account')}"


def brief_of(seen: Seen, after: int = 0) -> Brief:
    action, counts = seen.action, counts_of(seen.action)
    capabilities = capabilities_of(action.connection)
    privileged = privileged_logins(action) if counts.privileged else []
    exclusions = exclusions_of(action) if counts.excluded else []
    excluded = excluded_logins(action) if counts.excluded else []
    return Brief(
        title=title_of(action, counts.accounts),
        counts=counts,
        scope=_scope(action),
        counted=_counted(seen),
        reading=_reading(action, capabilities),
        already=_already(counts, action),
        exclusions=exclusions,
        excluded=excluded,
        excluded_said=f"{plural(counts.excluded, 'account')} {KEEPING.get(Action.Kind(action.kind), 'are left alone')}",
        excluded_more=counts.excluded - len(excluded),
        has_chosen=any(one.is_chosen for one in exclusions),
        taken_in=taken_in(action),
        privileged=privileged,
        privileged_more=counts.privileged - len(privileged),
        names=names_of(action, after),
        names_from=after + 1,
        effects=_effects(action, counts, capabilities),
        takes=_takes(action, counts.accounts, capabilities),
        holders_notice=_notice(action),
        undoing=_undoing(action, counts.accounts, capabilities),
        tested=_tested(seen),
        decisions=decisions_of(action),
    )


def _scope(action: Action) -> str:
    if action.undoes is not None:
        return f"in scope: changed by action {action.undoes.number}"
    if action.scope == Action.Scope.EVERYONE:
        return "in scope: everyone in the directory"
    return "in scope: chosen accounts"


def _counted(seen: Seen) -> str:
    at = seen.action.previewed_at
    if at is None:
        return "not read yet"
    return f"read from {seen.action.connection} at {clock(at, seen.incident.zone, seen.at)}"


def _reading(action: Action, capabilities: Capabilities | None) -> str:
    if capabilities is not None and not capabilities.facts:
        return "Asking what is known. People look it up, so nothing is read beforehand."
    return f"Reading what is there now through {action.connection}. The numbers below fill in by themselves."


def _already(counts: Counts, action: Action) -> str:
    """Empty while nothing was read."""
    if action.previewed_at is None:
        return ""
    said = []
    if counts.already:
        said.append(f"{number(counts.already)} of these are so already and stay as they are")
    if counts.problems:
        said.append(f"{number(counts.problems)} could not be read")
    elif counts.unknown and action.kind not in {Action.Kind.END_SESSIONS, Action.Kind.READ_STATE}:
        said.append(f"of {number(counts.unknown)} it is not known whether they are so already")
    return f"{'; '.join(said)}." if said else "None of these is so already."


def _effects(action: Action, counts: Counts, capabilities: Capabilities | None) -> list[Effect]:
    said, accounts = meaning(action), plural(counts.accounts, "account")
    by_hand = capabilities is not None and not capabilities.facts
    if action.undoes is not None:
        before = MEANINGS[action.undoes.kind]
        first = Effect(f"Put back what {accounts} had before action {action.undoes.number}.", before.undoing)
    else:
        first = Effect(f"{said.effect} for {accounts} through {action.connection}.", said.effect_detail)
    effects = [first]
    if by_hand:
        effects.append(Effect("Put each account on the work list.", "People do it and write down what shows it."))
    effects.append(Effect(*_order(counts)))
    if capabilities is not None and said.fact in capabilities.facts:
        lag = timedelta(seconds=capabilities.lag_seconds)
        when = f"{span(lag)} later, when {action.connection} can show it. " if lag >= timedelta(minutes=1) else ""
        effects.append(
            Effect(
                f"Read back and compare all {accounts}.", f"{when}Then again on a schedule, while the incident runs."
            )
        )
    effects.append(
        Effect(
            "Write one timeline entry an account, folded into one line a batch.",
            f"Stops after any batch with more than {plural(action.stop_after_failures, 'failure')}, and asks you.",
        )
    )
    return effects


def _order(counts: Counts) -> tuple[str, str]:
    first = []
    if counts.tier_a:
        first.append(f"{number(counts.tier_a)} of tier A")
    if counts.privileged:
        first.append(f"{number(counts.privileged)} with privileged rights")
    if not first:
        return "Take them in the order of the list.", "None of them is of tier A or has privileged rights."
    return "Take the most dangerous first.", f"{' and '.join(first)}, then the rest."


def _takes(action: Action, count: int, capabilities: Capabilities | None) -> str:
    if capabilities is None:
        return f"{action.connection} is not set up"
    batches = plural(-(-count // max(action.batch_size, 1)), "batch", "batches")
    return f"{duration(count, capabilities)}, in {batches} of {number(action.batch_size)}"


def _notice(action: Action) -> str:
    if action.undoes is None:
        return meaning(action).holders_notice
    return "What they noticed then is taken back. Tell them before they call."


def _undoing(action: Action, count: int, capabilities: Capabilities | None) -> str:
    if action.undoes is not None:
        what = "The stage" if action.stage_id is not None else "This"
        return f"{what} is rolled back like any action: its accounts are then as they were before it."
    said = meaning(action).undoing
    if capabilities is None or Verb(action.kind) not in capabilities.undone_by:
        return (
            said
            if action.kind in {Action.Kind.END_SESSIONS, Action.Kind.READ_STATE}
            else (f"{action.connection} cannot undo this by itself. It is undone by hand.")
        )
    return f"{said} Takes {duration(count, capabilities)} for all of them, and needs two people."


def _tested(seen: Seen) -> str:
    if seen.action.undoes_id is not None or (found := undone_before(seen.action)) is None:
        return ""
    at, count = found
    return f"Tested {clock(at, seen.incident.zone, seen.at)} on {plural(count, 'account')}"

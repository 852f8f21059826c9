"""What may follow what, and on which facts. This table is the only place that says so; docs/account-states.md is drawn
from it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from runbooks.affected_accounts.models import AffectedAccount, FactKind, State, Tier

S = State


class Group(StrEnum):
    """The six marks that people see. Value: name of the mark and of its colour."""

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    CONTAINED = "contained"
    RESET = "reset"
    RESTORED = "restored"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Transition:
    """`facts` must hold at the time. `needs_second_person` is asked for where dual approval is built.

    `reopens`: harm was seen again after the restoration, so what was found true before proves nothing any more.
    """

    before: State
    after: State
    facts: tuple[FactKind, ...] = ()
    needs_reason: bool = False
    needs_second_person: bool = False
    reopens: bool = False

    @property
    def is_forward(self) -> bool:
        """Along the way to restoration: the next thing to do when its facts hold."""
        return (
            self.before in WAY
            and WAY.index(self.before) + 1 < len(WAY)
            and WAY[WAY.index(self.before) + 1] == self.after
        )


GROUPS: Mapping[State, Group] = {
    S.NOT_ASSESSED: Group.SUSPECTED,
    S.SUSPECTED: Group.SUSPECTED,
    S.COMPROMISED: Group.CONFIRMED,
    S.CONTAINED: Group.CONTAINED,
    S.HOLDER_REACHED: Group.CONTAINED,
    S.UNREACHABLE: Group.CONTAINED,
    S.ESCALATED: Group.CONTAINED,
    S.LEFT: Group.CONTAINED,
    S.HOLDER_CONFIRMED: Group.RESET,
    S.CLEARED: Group.RESET,
    S.RESTORED_RESTRICTED: Group.RESTORED,
    S.RESTORED: Group.RESTORED,
    S.WATCHED: Group.RESTORED,
    S.CLOSED: Group.RESTORED,
    S.TARGETED: Group.CLEARED,
    S.FALSE_POSITIVE: Group.CLEARED,
}
GROUP_LABELS: Mapping[Group, str] = {
    Group.SUSPECTED: "Suspected",
    Group.CONFIRMED: "Confirmed",
    Group.CONTAINED: "Contained",
    Group.RESET: "Reset confirmed",
    Group.RESTORED: "Restored",
    Group.CLEARED: "Not affected",
}
# How far an account is, as the burn-up draws it: a line counts the accounts at its level or beyond.
LEVELS: Mapping[Group, int] = {
    Group.SUSPECTED: 0,
    Group.CLEARED: 0,
    Group.CONFIRMED: 1,
    Group.CONTAINED: 2,
    Group.RESET: 3,
    Group.RESTORED: 4,
}
# Order on the page: where most work is left comes first. Tens leave room between.
RANKS: Mapping[State, int] = {
    state: 10 * place
    for place, state in enumerate(
        [
            S.COMPROMISED,
            S.SUSPECTED,
            S.NOT_ASSESSED,
            S.ESCALATED,
            S.UNREACHABLE,
            S.CONTAINED,
            S.HOLDER_REACHED,
            S.HOLDER_CONFIRMED,
            S.CLEARED,
            S.RESTORED_RESTRICTED,
            S.RESTORED,
            S.WATCHED,
            S.LEFT,
            S.CLOSED,
            S.TARGETED,
            S.FALSE_POSITIVE,
        ],
        start=1,
    )
}
WAY = (
    S.COMPROMISED,
    S.CONTAINED,
    S.HOLDER_REACHED,
    S.HOLDER_CONFIRMED,
    S.CLEARED,
    S.RESTORED_RESTRICTED,
    S.RESTORED,
    S.WATCHED,
    S.CLOSED,
)
ASSESSING = (S.NOT_ASSESSED, S.TARGETED, S.SUSPECTED, S.COMPROMISED)
SIDE = (S.UNREACHABLE, S.ESCALATED, S.LEFT)
BACK_IN_USE = (S.RESTORED_RESTRICTED, S.RESTORED, S.WATCHED, S.CLOSED)
COMPROMISED_STATES = tuple(state for state in S if LEVELS[GROUPS[state]] > 0)
# What the analysts' tier says about the state, while the account is being assessed.
STATE_OF_TIER: Mapping[Tier, State] = {
    Tier.A: S.COMPROMISED,
    Tier.B: S.COMPROMISED,
    Tier.C: S.TARGETED,
    Tier.D: S.SUSPECTED,
}
CONTAINMENT = (
    FactKind.SIGN_IN_DISABLED,
    FactKind.SESSIONS_REVOKED,
    FactKind.PASSWORD_CHANGED,
    FactKind.RULES_CHECKED,
)
# What a reopening makes worthless. That sign-in is disabled and the holder was reached stays as it was found.
STALE_AFTER_REOPENING = (
    FactKind.SESSIONS_REVOKED,
    FactKind.PASSWORD_CHANGED,
    FactKind.RULES_CHECKED,
    FactKind.HOLDER_CONFIRMED,
    FactKind.DATA_LOSS_ASSESSED,
    FactKind.MFA_BOUND,
)


def _from(befores: Collection[State], after: State, *facts: FactKind) -> list[Transition]:
    return [Transition(before, after, facts) for before in befores]


def _with_reason(befores: Collection[State], after: State, *facts: FactKind) -> list[Transition]:
    return [Transition(before, after, facts, needs_reason=True) for before in befores]


def _with_two(befores: Collection[State], after: State) -> list[Transition]:
    return [Transition(before, after, needs_reason=True, needs_second_person=True) for before in befores]


def _reopening(befores: Collection[State], after: State) -> list[Transition]:
    return [Transition(before, after, needs_reason=True, reopens=True) for before in befores]


TABLE = (
    # Assessment: upward at any time; downward with a reason.
    *_from((S.NOT_ASSESSED,), S.TARGETED),
    *_from((S.NOT_ASSESSED, S.TARGETED, S.FALSE_POSITIVE), S.SUSPECTED),
    *_from((S.NOT_ASSESSED, S.TARGETED, S.SUSPECTED, S.FALSE_POSITIVE), S.COMPROMISED),
    *_with_two((S.SUSPECTED, S.COMPROMISED), S.TARGETED),
    *_with_two((S.COMPROMISED,), S.SUSPECTED),
    *_with_two([state for state in S if state != S.FALSE_POSITIVE], S.FALSE_POSITIVE),
    # The way to restoration.
    *_from((S.COMPROMISED,), S.CONTAINED, *CONTAINMENT),
    *_from((S.CONTAINED, S.UNREACHABLE, S.ESCALATED), S.HOLDER_REACHED, FactKind.HOLDER_REACHED),
    *_from((S.HOLDER_REACHED,), S.HOLDER_CONFIRMED, FactKind.HOLDER_CONFIRMED),
    *_from((S.HOLDER_CONFIRMED,), S.CLEARED, FactKind.DATA_LOSS_ASSESSED),
    *_from((S.CLEARED,), S.RESTORED_RESTRICTED, *CONTAINMENT),
    *_from((S.RESTORED_RESTRICTED,), S.RESTORED, FactKind.MFA_BOUND),
    *_from((S.RESTORED,), S.WATCHED),
    *_from((S.WATCHED,), S.CLOSED),
    # Beside the way, while containment holds.
    *_with_reason((S.CONTAINED, S.ESCALATED), S.UNREACHABLE),
    *_with_reason((S.CONTAINED, S.HOLDER_REACHED, S.UNREACHABLE), S.ESCALATED),
    *_with_reason((S.CONTAINED, S.HOLDER_REACHED, S.UNREACHABLE, S.ESCALATED), S.LEFT),
    *_with_reason((S.LEFT,), S.CLOSED, *CONTAINMENT),
    # Back: what was said turned out wrong.
    *_with_reason((S.HOLDER_REACHED, *SIDE), S.CONTAINED),
    *_with_reason((S.HOLDER_CONFIRMED,), S.HOLDER_REACHED),
    *_with_reason((S.CLEARED,), S.HOLDER_CONFIRMED),
    *_with_reason((S.RESTORED_RESTRICTED,), S.CLEARED),
    *_with_reason((S.RESTORED,), S.RESTORED_RESTRICTED),
    *_with_reason((S.CONTAINED, S.HOLDER_REACHED, S.HOLDER_CONFIRMED, S.CLEARED, *SIDE), S.COMPROMISED),
    # Harm seen again on an account that was given back.
    *_reopening(BACK_IN_USE, S.SUSPECTED),
    *_reopening(BACK_IN_USE, S.COMPROMISED),
)
TRANSITIONS: Mapping[tuple[State, State], Transition] = {(row.before, row.after): row for row in TABLE}


def transition(before: str, after: str) -> Transition | None:
    return TRANSITIONS.get((State(before), State(after)))


def following(before: str) -> list[Transition]:
    """What may follow, in the order of the states."""
    return [TRANSITIONS[before_, after] for before_, after in TRANSITIONS if before_ == before]


def fact_column(kind: str) -> str:
    """The field of AffectedAccount that holds since when the fact is true."""
    return f"{FactKind(kind).value}_at"


def fact_at(account: AffectedAccount, kind: FactKind) -> datetime | None:
    moment: datetime | None = getattr(account, fact_column(kind))
    return moment


def missing_facts(step: Transition, account: AffectedAccount) -> list[FactKind]:
    """The facts of the guard that do not hold."""
    return [kind for kind in step.facts if fact_at(account, kind) is None]


def tier_after(step: Transition, tier: str) -> str:
    """The tier that goes with the new state. A reopened account did get in once: it keeps its tier."""
    if step.after == State.FALSE_POSITIVE:
        return ""
    if step.after == State.TARGETED:
        return Tier.C
    if step.after == State.SUSPECTED and not step.reopens:
        return Tier.D
    return tier


def level(state: str) -> int:
    return LEVELS[GROUPS[State(state)]]

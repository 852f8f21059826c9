"""What a step waits for. Worked out from the steps as they stand, never stored."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from runbooks.containment.models import Step


class Dependent(Protocol):
    """A step, or as much of one as its dependencies need."""

    @property
    def key(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def depends_on(self) -> Sequence[str]: ...


S = TypeVar("S", bound=Dependent)


def open_dependencies(step: Dependent, by_key: Mapping[str, S]) -> list[S]:
    """What the step depends on and is not closed: until these are closed, it cannot be completed.

    A step of the incident waits for a step of each account only until that one is under way: the regulator is told
    within its time, whether or not the last mailbox has been judged.
    """
    found = (by_key[key] for key in step.depends_on if key in by_key)
    waiting = [other for other in found if other.status not in Step.CLOSED]
    return waiting if step.scope == Step.Scope.ACCOUNT else [other for other in waiting if not _is_under_way(other)]


def blockers(step: Dependent, by_key: Mapping[str, S]) -> list[S]:
    """What keeps the step from being started.

    A step for each account may follow another one account by account: sessions are revoked for the accounts that
    were disabled while others still wait. So it is blocked only until that one was started.
    """
    return [other for other in open_dependencies(step, by_key) if not _is_under_way(other)]


def _is_under_way(other: Dependent) -> bool:
    """A step of each account that was started: some accounts are through it, and the others follow."""
    return other.scope == Step.Scope.ACCOUNT and other.status == Step.Status.RUNNING


def held_up_by(step: S, steps: Iterable[S]) -> list[S]:
    """The open steps that cannot be completed before this one is."""
    return [other for other in steps if other.status not in Step.CLOSED and open_dependencies(other, {step.key: step})]

"""A connection that does what a test wants of it, and answers as no connector should."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from runbooks.connectors import CONNECTORS
from runbooks.connectors.base import (
    UNDONE_BY,
    AccountRef,
    AccountState,
    Action,
    ActionResult,
    Capabilities,
    Fact,
    Finding,
    Outcome,
    Reading,
    Values,
)

Answers = Callable[[list[ActionResult]], list[ActionResult]]


@dataclass
class Rogue:
    """`on_read` and `on_act` are called before each; `answers` and `states` change what is given back."""

    on_read: Callable[[Sequence[AccountRef]], None] = lambda accounts: None
    on_act: Callable[[Sequence[AccountRef]], None] = lambda accounts: None
    answers: Answers = lambda results: results
    states: Callable[[list[AccountState]], list[AccountState]] = lambda states: states
    outcome: Outcome = Outcome.OK
    before: Mapping[str, list[str]] = field(default_factory=dict)
    batch_size: int = 100
    lag_seconds: float = 0
    locked: set[str] = field(default_factory=set)
    acted_on: list[AccountRef] = field(default_factory=list)
    reads: int = 0
    is_simulated: bool = True

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            actions=frozenset(Action), facts=frozenset({Fact.LOCKED}), lag_seconds=self.lag_seconds,
            batch_size=self.batch_size, rate_per_second=100_000, permissions=(), undone_by=UNDONE_BY,
            is_simulated=self.is_simulated,
        )  # fmt: skip

    def read(self, accounts: Sequence[AccountRef]) -> list[AccountState]:
        self.reads += 1
        self.on_read(accounts)
        now = datetime.now(UTC)
        return self.states(
            [
                AccountState(
                    one,
                    {Fact.LOCKED: Reading(one.login in self.locked, now, "rogue")},
                    {"lock": ["on"] if one.login in self.locked else []},
                )
                for one in accounts
            ]
        )

    def act(
        self, action: Action, accounts: Sequence[AccountRef], key: str, values: Mapping[str, Values] | None = None
    ) -> list[ActionResult]:
        self.on_act(accounts)
        self.acted_on += accounts
        for one in accounts:
            is_on = bool(values[one.login].get("lock")) if values is not None else action == Action.LOCK_ACCOUNT
            (self.locked.add if is_on else self.locked.discard)(one.login)
        return self.answers([ActionResult(one, self.outcome, self.before) for one in accounts])

    def self_test(self) -> list[Finding]:
        return []

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def rogue_connection(settings: Any) -> Iterator[Rogue]:
    """The connection "directory", which is this."""
    made = Rogue()
    settings.CONNECTIONS = {"directory": {"connector": "rogue"}}
    CONNECTORS["rogue"] = f"{__name__}"
    current.append(made)
    try:
        yield made
    finally:
        current.pop()
        del CONNECTORS["rogue"]


current: list[Rogue] = []


def connect(name: str, options: Mapping[str, Any]) -> Rogue:
    return current[-1]

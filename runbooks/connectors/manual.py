"""People as a connector: what another would do itself becomes a line of a work list, with what to bring back."""

from collections.abc import Mapping, Sequence
from typing import Any

from runbooks.connectors.base import (
    UNDONE_BY,
    AccountRef,
    AccountState,
    Action,
    ActionResult,
    Capabilities,
    Finding,
    Outcome,
    Severity,
    Values,
    check_request,
    failure,
)
from runbooks.connectors.options import Options

# What to do, and what to bring back so that the record says as much as a connector's would.
WORK = {
    Action.LOCK_ACCOUNT: (
        "Lock {login}, so that no new sign-in succeeds.",
        "whether it was locked before, the time, and a sign-in that was refused",
    ),
    Action.UNLOCK_ACCOUNT: ("Unlock {login}.", "the time, and a sign-in that succeeded"),
    Action.END_SESSIONS: (
        "End every session of {login}: web, mail, VPN and telephones.",
        "the time, and the list of sessions left",
    ),
    Action.REQUIRE_PASSWORD_CHANGE: (
        "Make {login} choose a new password at the next sign-in. Then check that a lock is still in place.",
        "the time, and when the password was last changed",
    ),
    Action.RESTRICT_REMOTE_ACCESS: (
        "Take {login} out of remote access. Leave signing in on site as it is.",
        "whether it had remote access before, and the time",
    ),
    Action.RESTORE_REMOTE_ACCESS: (
        "Give {login} remote access.",
        "the time, and a sign-in from outside that succeeded",
    ),
    Action.READ_STATE: (
        "Look up {login} and change nothing.",
        "whether it is locked, when its password was last changed, and whether it has remote access",
    ),
}
BATCH = 500
PEOPLE_A_SECOND = 0.02


class Manual:
    def __init__(self, name: str, who: str) -> None:
        self._name, self._who = name, who
        self.capabilities = Capabilities(
            actions=frozenset(WORK),
            facts=frozenset(),
            lag_seconds=0,
            batch_size=BATCH,
            rate_per_second=PEOPLE_A_SECOND,
            permissions=(),
            undone_by=UNDONE_BY,
        )

    def read(self, accounts: Sequence[AccountRef]) -> list[AccountState]:
        """Nothing: what is known comes from people, as evidence."""
        return [AccountState(account, problem=f"Only {self._who} can look this up.") for account in accounts]

    def act(
        self, action: Action, accounts: Sequence[AccountRef], key: str, values: Mapping[str, Values] | None = None
    ) -> list[ActionResult]:
        check_request(self.capabilities, action, accounts)
        return [self._ask(action, account, values) for account in accounts]

    def _ask(self, action: Action, account: AccountRef, values: Mapping[str, Values] | None) -> ActionResult:
        if values is not None and account.login not in values:
            return failure(account, "Its before-values are missing. Ask for it by itself.", permanent=True)
        task, evidence = WORK[action]
        if values is not None:
            task = f"Put {{login}} back to what it was ({_words(values[account.login])})."
        text = f"{task.replace('{login}', account.login)} Bring back: {evidence}."
        return ActionResult(account, Outcome.PENDING, message=f"Pending with {self._who}. {text}")

    def self_test(self) -> list[Finding]:
        return [Finding(Severity.FINE, f"{self._name} asks {self._who}; nothing is read back by itself.")]

    def close(self) -> None:
        """Nothing is open."""


def _words(values: Values) -> str:
    return "; ".join(f"{name} {', '.join(raw) or 'not set'}" for name, raw in sorted(values.items())) or "as recorded"


def connect(name: str, options: Mapping[str, Any]) -> Manual:
    read = Options(name, options)
    who = read.text("who", "a person")
    read.finish()
    return Manual(name, who)

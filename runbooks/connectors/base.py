"""What a connector is: it says what it can do, reads accounts, and acts on accounts.

A connector's answer is what the system said, not what is true: the truth is a later `read`, with its time and source.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from typing import Final, Protocol

# What a restore needs of one account: attribute to its raw values, exactly as the system held them. JSON as it stands.
Values = Mapping[str, list[str]]


class Action(StrEnum):
    """What a connector may be asked for, by the names of the catalogue's AUTOMATIONS (D3FEND techniques)."""

    LOCK_ACCOUNT = auto()
    UNLOCK_ACCOUNT = auto()
    END_SESSIONS = auto()
    REQUIRE_PASSWORD_CHANGE = auto()
    RESTRICT_REMOTE_ACCESS = auto()
    RESTORE_REMOTE_ACCESS = auto()
    READ_STATE = auto()


# The undoing of each. An action that is its own undoing puts the before-values back and needs them.
UNDONE_BY: Final = {
    Action.LOCK_ACCOUNT: Action.UNLOCK_ACCOUNT,
    Action.UNLOCK_ACCOUNT: Action.LOCK_ACCOUNT,
    Action.REQUIRE_PASSWORD_CHANGE: Action.REQUIRE_PASSWORD_CHANGE,
    Action.RESTRICT_REMOTE_ACCESS: Action.RESTORE_REMOTE_ACCESS,
    Action.RESTORE_REMOTE_ACCESS: Action.RESTRICT_REMOTE_ACCESS,
}


class Fact(StrEnum):
    """What a system can tell about an account. Instants are aware datetimes, the rest booleans."""

    LOCKED = auto()
    LOCKED_BY_FAILURES = auto()
    PASSWORD_CHANGED_AT = auto()
    MUST_CHANGE_PASSWORD = auto()
    SESSIONS_ENDED_AT = auto()
    REMOTE_ACCESS = auto()


class Outcome(StrEnum):
    OK = auto()
    ALREADY = auto()
    FAILED = auto()
    PENDING = auto()
    """A person has been asked; the answer comes later."""


class Severity(StrEnum):
    FINE = auto()
    WARNING = auto()
    ERROR = auto()
    """The connector would not do what it declares."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connector can do, as data."""

    actions: frozenset[Action]
    facts: frozenset[Fact]
    lag_seconds: float
    """How long after an action a read may still show the old state."""
    batch_size: int
    """The most accounts one `act` takes."""
    rate_per_second: float
    """How many accounts a second the system bears; the caller keeps to it."""
    permissions: tuple[str, ...]
    """What the portal's own account must be granted over there, for people to read."""
    undone_by: Mapping[Action, Action]
    """The actions that can be undone, with what undoes each when it is given the before-values."""
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class AccountRef:
    """An account as the portal's directory knows it; a connector's settings say which of the three finds it."""

    login: str
    external_id: str = ""
    mail: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """One fact. None: the system has nothing on it, such as a password that was never changed."""

    value: bool | datetime | None
    read_at: datetime
    source: str
    """Connection and attribute, such as "directory: pwdAccountLockedTime"."""


@dataclass(frozen=True, slots=True)
class AccountState:
    account: AccountRef
    facts: Mapping[Fact, Reading] = field(default_factory=dict)
    values: Values = field(default_factory=dict)
    """The before-values of every action. Store them before acting: after a crash a second act reads its own work."""
    problem: str = ""
    """Why nothing could be read, such as no entry or two of them; facts are empty then."""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What the system answered for one account. Only a failed one has `permanent` and `retry_after` (seconds)."""

    account: AccountRef
    outcome: Outcome
    before: Values = field(default_factory=dict)
    message: str = ""
    permanent: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a self-test found, and how to mend it; both are sentences for an administrator."""

    severity: Severity
    what: str
    mend: str = ""


class ConnectorError(Exception):
    """Nothing of the request was done, and the text says why. A permanent one is not tried again.

    `retry_after` is in seconds, and None where the system named no time.
    """

    def __init__(self, reason: str, *, permanent: bool, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.retry_after = retry_after


class Connector(Protocol):
    """One connection to one identity system. Never used inside a database transaction."""

    @property
    def capabilities(self) -> Capabilities: ...

    def read(self, accounts: Sequence[AccountRef]) -> list[AccountState]:
        """The state of each, in the order given. Any number. Raises ConnectorError."""

    def act(
        self,
        action: Action,
        accounts: Sequence[AccountRef],
        key: str,
        values: Mapping[str, Values] | None = None,
    ) -> list[ActionResult]:
        """One result an account, in the order given. Doing it again does no more than doing it once.

        `key` names the request, the same at every try. `values` (login to before-values, from an earlier state or
        result) puts back what was there instead of the action's plain meaning; an account it leaves out fails.
        READ_STATE changes nothing and brings the values. Raises ConnectorError.
        """

    def self_test(self) -> list[Finding]:
        """What would keep the connector from doing what it declares. Changes nothing; never raises ConnectorError."""

    def close(self) -> None:
        """Give up what is held open. The connector may be used again, and connects anew."""


def check_request(capabilities: Capabilities, action: Action, accounts: Sequence[AccountRef]) -> None:
    """Refuse what was not declared. Every connector's `act` begins with it. Raises ConnectorError."""
    if action not in capabilities.actions:
        raise ConnectorError(f"This connector cannot {words(action)}. Choose another, or a person.", permanent=True)
    if len(accounts) > capabilities.batch_size:
        raise ConnectorError(
            f"{len(accounts)} accounts are too many for one batch. Send {capabilities.batch_size} at most.",
            permanent=True,
        )
    if len({account.login for account in accounts}) != len(accounts):
        raise ConnectorError("An account is in the batch twice. Send it once.", permanent=True)


def words(action: Action) -> str:
    return action.value.replace("_", " ")


def failure(
    account: AccountRef,
    message: str,
    *,
    permanent: bool,
    before: Values | None = None,
    retry_after: float | None = None,
) -> ActionResult:
    return ActionResult(account, Outcome.FAILED, before or {}, message, permanent, retry_after)

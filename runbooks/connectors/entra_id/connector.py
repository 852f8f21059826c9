"""A Microsoft Entra tenant as a connector: Graph v1.0, as an application of its own.

The order matters: an account is disabled by a request that says nothing else, since one refused property refuses them
all and leaves the account enabled. The portal never sets a password: a new one would have to be kept and carried to its
holder, and whoever reads it on the way has the account. So requiring a change only marks the account; the old password
goes on working until somebody, the intruder perhaps, chooses a new one. Lock or restrict the account first.

Graph shows a change up to a minute late. What is asked for is therefore written even where a read says that it is so
already, and `already` tells what was read. Only what the same request has done is not done again, unless a later read
shows that it did not stick.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from runbooks.connectors.base import (
    AccountRef,
    AccountState,
    Action,
    ActionResult,
    Capabilities,
    ConnectorError,
    Fact,
    Finding,
    Outcome,
    Values,
    check_request,
    failure,
)
from runbooks.connectors.entra_id.directory import ENABLED, MUST_CHANGE, PASSWORD_ROLE, TIMES, Directory, Found
from runbooks.connectors.entra_id.memory import Done, Mark
from runbooks.connectors.entra_id.remote_access import Change
from runbooks.connectors.entra_id.self_test import examine
from runbooks.connectors.entra_id.session import BATCH, FORBIDDEN, NOT_ANSWERED, NOT_FOUND, TOO_MANY, Answer, Request

POLICY_BATCH: Final = 200
"""A policy is written once for a batch, and once a second."""
MOST_PER_SECOND: Final = 20.0
"""3,000 writes in 150 seconds for an application and tenant."""
REMOTE: Final = (Action.RESTRICT_REMOTE_ACCESS, Action.RESTORE_REMOTE_ACCESS)
SWITCHES: Final = {
    Action.LOCK_ACCOUNT: (ENABLED, False),
    Action.UNLOCK_ACCOUNT: (ENABLED, True),
    Action.REQUIRE_PASSWORD_CHANGE: (MUST_CHANGE, True),
}
ROLES: Final = {
    Action.LOCK_ACCOUNT: "User.EnableDisableAccount.All",
    Action.UNLOCK_ACCOUNT: "User.EnableDisableAccount.All",
    Action.REQUIRE_PASSWORD_CHANGE: PASSWORD_ROLE,
    Action.END_SESSIONS: "User.RevokeSessions.All",
}
NO_BEFORE_VALUES = "Its before-values are missing. Act on it by itself."
GUEST = "It is a guest, whose sessions belong to another tenant. Lock it here, and tell the tenant it comes from."
SYNCHRONISED = "It comes from a directory on premises: lock it there too, or the next synchronisation may undo this."


class EntraConnector:
    def __init__(self, directory: Directory, *, lag_seconds: float, rate_per_second: float) -> None:
        self._directory = directory
        self.capabilities = _capabilities(directory, lag_seconds, rate_per_second)

    def read(self, accounts: Sequence[AccountRef]) -> list[AccountState]:
        return self._directory.states(accounts)

    def act(
        self, action: Action, accounts: Sequence[AccountRef], key: str, values: Mapping[str, Values] | None = None
    ) -> list[ActionResult]:
        check_request(self.capabilities, action, accounts)
        if not accounts:
            return []
        if action is Action.READ_STATE:
            return [_told(state) for state in self._directory.states(accounts)]
        found = self._directory.find(accounts, times=action is Action.END_SESSIONS)
        done = Done(self._directory.name, action, key)
        marks = done.of([one.id for one in found if one.user])
        results = {one.account.login: self._settled(action, one, marks.get(one.id), values) for one in found}
        todo = [one for one in found if results[one.account.login] is None]
        acted = self._acted(action, todo, values) if todo else []
        done.add({one.id: self._mark(one, result) for one, result in zip(todo, acted, strict=True) if _is_done(result)})
        results |= {result.account.login: result for result in acted}
        return [result for one in found if (result := results[one.account.login]) is not None]

    def self_test(self) -> list[Finding]:
        return examine(self._directory, self.capabilities)

    def close(self) -> None:
        self._directory.session.close()

    def _settled(
        self, action: Action, found: Found, mark: Mark | None, values: Mapping[str, Values] | None
    ) -> ActionResult | None:
        """The result of what needs no request."""
        account = found.account
        if not found.user:
            return failure(account, found.problem, permanent=found.is_permanent)
        if values is not None and self._kept(action, account, values) is None:
            return failure(account, NO_BEFORE_VALUES, permanent=True)
        if mark is not None and self._holds(action, found, mark, values):
            return ActionResult(account, Outcome.ALREADY, mark.before)
        if action is Action.END_SESSIONS and found.is_guest:
            return failure(account, GUEST, permanent=True)
        return None

    def _holds(self, action: Action, found: Found, mark: Mark, values: Mapping[str, Values] | None) -> bool:
        """Whether what this request did still stands, as far as a read can show it by now."""
        if self._directory.session.clock.now().timestamp() < mark.fresh_until:
            return True
        if action is Action.END_SESSIONS:
            return found.sessions_since != mark.sessions_before
        return action in SWITCHES and self._is_so(action, found, self._wanted(action, found, values))

    def _mark(self, found: Found, result: ActionResult) -> Mark:
        fresh_until = self._directory.session.clock.now().timestamp() + self.capabilities.lag_seconds
        return Mark(result.before, found.sessions_since, fresh_until)

    def _kept(self, action: Action, account: AccountRef, values: Mapping[str, Values]) -> list[str] | None:
        """What is to be put back; None where it is not known."""
        kept = values.get(account.login, {})
        if action in REMOTE and self._directory.remote:
            return kept.get(self._directory.remote.id)
        return kept.get(SWITCHES[action][0]) or None if action in SWITCHES else []

    def _acted(self, action: Action, todo: Sequence[Found], values: Mapping[str, Values] | None) -> list[ActionResult]:
        if action in REMOTE:
            return self._listed(action, todo, values)
        wanted = [self._wanted(action, one, values) for one in todo]
        requests = [_request(action, one, value) for one, value in zip(todo, wanted, strict=True)]
        answers = self._directory.session.batch(requests)
        return [
            _result(action, one, answer, self._before(action, one), is_so=self._is_so(action, one, value))
            for one, value, answer in zip(todo, wanted, answers, strict=True)
        ]

    def _wanted(self, action: Action, found: Found, values: Mapping[str, Values] | None) -> bool:
        if action not in SWITCHES:
            return True
        if values is not None:
            return self._kept(action, found.account, values) == ["true"]
        return SWITCHES[action][1]

    def _before(self, action: Action, found: Found) -> Values:
        attribute = SWITCHES[action][0] if action in SWITCHES else ""
        return {name: raw for name, raw in self._directory.values(found).items() if name == attribute}

    def _is_so(self, action: Action, found: Found, wanted: bool) -> bool:
        before = self._before(action, found)
        return list(before.values()) == [["true" if wanted else "false"]]

    # Remote access: one list

    def _listed(self, action: Action, todo: Sequence[Found], values: Mapping[str, Values] | None) -> list[ActionResult]:
        remote = self._directory.remote
        if remote is None:
            raise ConnectorError("Remote access stands for nothing here. Set group or policy.", permanent=True)
        plain = (action is Action.RESTRICT_REMOTE_ACCESS) == remote.lists_restricted
        wanted = {one.id: plain if values is None else bool(self._kept(action, one.account, values)) for one in todo}
        changes = remote.change(wanted, is_undoing=values is not None)
        return [_of_change(one.account, changes[one.id], remote.id) for one in todo]


def _capabilities(directory: Directory, lag_seconds: float, rate_per_second: float) -> Capabilities:
    actions = {Action.LOCK_ACCOUNT, Action.UNLOCK_ACCOUNT, Action.END_SESSIONS, Action.READ_STATE}
    facts = {Fact.LOCKED, *TIMES}
    undone_by = {Action.LOCK_ACCOUNT: Action.UNLOCK_ACCOUNT, Action.UNLOCK_ACCOUNT: Action.LOCK_ACCOUNT}
    permissions = ["User.Read.All", *dict.fromkeys(ROLES[action] for action in sorted(actions) if action in ROLES)]
    remote = directory.remote
    if directory.layout.password_change:
        actions |= {Action.REQUIRE_PASSWORD_CHANGE}
        facts |= {Fact.MUST_CHANGE_PASSWORD}
        undone_by[Action.REQUIRE_PASSWORD_CHANGE] = Action.REQUIRE_PASSWORD_CHANGE
        permissions.append(PASSWORD_ROLE)
    if remote:
        actions |= set(REMOTE)
        facts |= {Fact.REMOTE_ACCESS}
        undone_by |= {REMOTE[0]: REMOTE[1], REMOTE[1]: REMOTE[0]}
        permissions += remote.permissions
    return Capabilities(
        actions=frozenset(actions),
        facts=frozenset(facts),
        lag_seconds=lag_seconds,
        batch_size=POLICY_BATCH if remote and remote.lists_restricted else BATCH,
        rate_per_second=rate_per_second,
        permissions=tuple(permissions),
        undone_by=undone_by,
    )


def _request(action: Action, found: Found, value: bool) -> Request:
    """One property a request."""
    path = f"/users/{found.id}"
    if action is Action.END_SESSIONS:
        return Request("POST", f"{path}/revokeSignInSessions")
    body: dict[str, Any] = {SWITCHES[action][0]: value}
    return Request("PATCH", path, body if ENABLED in body else {"passwordProfile": body})


def _result(action: Action, found: Found, answer: Answer, before: Values, *, is_so: bool) -> ActionResult:
    account = found.account
    if answer.is_ok and answer.body.get("value") is not False:
        message = SYNCHRONISED if found.is_synchronised and action in SWITCHES else ""
        return ActionResult(account, Outcome.ALREADY if is_so else Outcome.OK, before, message)
    permanent = not answer.is_passing
    return failure(
        account,
        _why(action, answer),
        permanent=permanent,
        before=before,
        retry_after=None if permanent else answer.wait,
    )


def _why(action: Action, answer: Answer) -> str:
    if answer.status == FORBIDDEN:
        return (
            f"Microsoft Graph refuses it ({answer.words}). Grant {ROLES[action]}; an account with an administrator's "
            "role needs a directory role for the portal as well, such as Privileged Authentication Administrator."
        )
    if answer.status == NOT_FOUND:
        return "The account is no longer in the tenant."
    if answer.status == TOO_MANY:
        return f"Microsoft Graph is throttling ({answer.words})."
    if answer.status == NOT_ANSWERED:
        return f"Not known whether it was done: {answer.words}"
    return f"Microsoft Graph did not do it: {answer.words or 'no word on why'}."


def _of_change(account: AccountRef, change: Change, place: str) -> ActionResult:
    before = {} if change.before is None else {place: change.before}
    return ActionResult(account, change.outcome, before, change.message, change.permanent, change.retry_after)


def _told(state: AccountState) -> ActionResult:
    if state.problem:
        return failure(state.account, state.problem, permanent=True)
    return ActionResult(state.account, Outcome.OK, state.values)


def _is_done(result: ActionResult) -> bool:
    return result.outcome in (Outcome.OK, Outcome.ALREADY)

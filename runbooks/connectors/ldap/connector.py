"""An LDAP directory as a connector: locks, required changes, and remote access by membership of one group.

The order matters: setting a password removes OpenLDAP's lock without a word, even in the same request. So: set or
require first, lock after, and read back. A lock stops new sign-ins only; a connection made before it lives on, which is
why ending sessions is not among the actions.
"""

import time
from collections.abc import Mapping, Sequence

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
from runbooks.connectors.ldap.directory import Directory, Found, Policies
from runbooks.connectors.ldap.profile import Switch
from runbooks.connectors.ldap.self_test import examine
from runbooks.connectors.ldap.session import (
    ADD,
    AGAIN_SECONDS,
    DELETE,
    INSUFFICIENT_ACCESS,
    NO_SUCH_ATTRIBUTE,
    OBJECT_CLASS_VIOLATION,
    REFERRAL,
    REPLACE,
    SUCCESS,
    VALUE_EXISTS,
    Answer,
    Changes,
)

BATCH = 500
# A caller stores what it read before it acts: about that long.
FRESH_SECONDS = 5.0
REMOTE = (Action.RESTRICT_REMOTE_ACCESS, Action.RESTORE_REMOTE_ACCESS)
TURNS_ON = {
    Action.LOCK_ACCOUNT: True,
    Action.UNLOCK_ACCOUNT: False,
    Action.REQUIRE_PASSWORD_CHANGE: True,
    Action.RESTRICT_REMOTE_ACCESS: False,
    Action.RESTORE_REMOTE_ACCESS: True,
}
NO_BEFORE_VALUES = "Its before-values are missing. Act on it by itself."
NO_LOCKING = "The password policy has pwdLockout FALSE: locking has no effect. Set it to TRUE."
MENDS = {
    INSUFFICIENT_ACCESS: "The portal's account lacks the right; `manage.py check_connector` says which.",
    OBJECT_CLASS_VIOLATION: "A groupOfNames keeps its last member. Add a placeholder to the group.",
    REFERRAL: "Name the server that takes writes.",
}


class LdapConnector:
    def __init__(self, directory: Directory, *, lag_seconds: float, rate_per_second: float) -> None:
        self._directory = directory
        self._just_read: tuple[float, dict[AccountRef, Found]] = (0.0, {})
        self.capabilities = _capabilities(directory, lag_seconds, rate_per_second)

    def read(self, accounts: Sequence[AccountRef]) -> list[AccountState]:
        if not accounts:
            return []
        policies = self._directory.policies()
        found = self._directory.find(accounts, groups=True)
        self._just_read = time.monotonic(), {one.account: one for one in found}
        return [self._directory.state(one, policies) for one in found]

    def act(
        self, action: Action, accounts: Sequence[AccountRef], key: str, values: Mapping[str, Values] | None = None
    ) -> list[ActionResult]:
        """`key` is not needed: every change is to a state, so the second does nothing."""
        check_request(self.capabilities, action, accounts)
        if not accounts:
            return []
        found = self._taken(accounts) or self._directory.find(accounts, groups=action in (*REMOTE, Action.READ_STATE))
        if action is Action.READ_STATE:
            return [_read(one, self._directory.values(one)) for one in found]
        if action in REMOTE:
            return self._act_on_group(found, on=TURNS_ON[action], values=values)
        return self._act_on_switch(action, found, values)

    def _taken(self, accounts: Sequence[AccountRef]) -> list[Found]:
        """What `read` found for exactly these a moment ago, once: asking again would cost as much as acting."""
        (read_at, found), self._just_read = self._just_read, (0.0, {})
        is_fresh = time.monotonic() - read_at <= FRESH_SECONDS
        return [found[account] for account in accounts] if is_fresh and all(one in found for one in accounts) else []

    def self_test(self) -> list[Finding]:
        return examine(self._directory)

    def close(self) -> None:
        self._directory.session.close()

    # A switch: one request an account

    def _act_on_switch(
        self, action: Action, found: list[Found], values: Mapping[str, Values] | None
    ) -> list[ActionResult]:
        is_lock = action is not Action.REQUIRE_PASSWORD_CHANGE
        switch = self._directory.profile.lock if is_lock else self._directory.profile.must_change
        policies = self._directory.policies() if action is Action.LOCK_ACCOUNT else Policies(default=True)
        results: list[ActionResult] = []
        lost = ""
        for one in found:
            if lost:
                results.append(failure(one.account, f"Not tried: {lost}", permanent=False, retry_after=AGAIN_SECONDS))
                continue
            try:
                results.append(self._turn(switch, one, on=TURNS_ON[action], values=values, policies=policies))
            except ConnectorError as error:
                lost = str(error)
                unknown = f"Not known whether it was done: {lost}"
                results.append(failure(one.account, unknown, permanent=error.permanent, retry_after=error.retry_after))
        return results

    def _turn(
        self, switch: Switch, found: Found, *, on: bool, values: Mapping[str, Values] | None, policies: Policies
    ) -> ActionResult:
        account = found.account
        if found.entry is None:
            return failure(account, found.problem, permanent=True)
        raw = found.entry.get(switch.attribute)
        before = {switch.attribute: raw}
        wanted = switch.turned(raw, on=on)
        if values is not None:
            kept = values.get(account.login, {}).get(switch.attribute)
            if kept is None:
                return failure(account, NO_BEFORE_VALUES, permanent=True, before=before)
            wanted = switch.put_back(raw, kept)
        elif on and not self._directory.locks_work(found, policies):
            return failure(account, NO_LOCKING, permanent=True, before=before)
        if wanted == raw:
            return ActionResult(account, Outcome.ALREADY, before)
        answer = self._directory.session.modify(found.entry.dn, _changes(switch, raw, wanted))
        return _result(account, answer, before)

    # The group: one request for all of a batch

    def _act_on_group(self, found: list[Found], *, on: bool, values: Mapping[str, Values] | None) -> list[ActionResult]:
        group = self._directory.layout.group
        results: dict[str, ActionResult] = {}
        to_change: dict[bool, list[Found]] = {True: [], False: []}
        for one in found:
            before, wanted = self._directory.values(one).get(group, []), on
            kept = values.get(one.account.login, {}).get(group) if values is not None else None
            if values is not None:
                wanted = bool(kept)
            if one.entry is None:
                results[one.account.login] = failure(one.account, one.problem, permanent=True)
            elif values is not None and kept is None:
                results[one.account.login] = failure(one.account, NO_BEFORE_VALUES, permanent=True)
            elif one.in_group == wanted:
                results[one.account.login] = ActionResult(one.account, Outcome.ALREADY, {group: before})
            else:
                to_change[wanted].append(one)
        for wanted, changing in to_change.items():
            results |= {result.account.login: result for result in self._change_members(changing, add=wanted)}
        return [results[one.account.login] for one in found]

    def _change_members(self, changing: list[Found], *, add: bool) -> list[ActionResult]:
        """All of them at once; one by one when somebody else changed the group since it was read."""
        if not changing:
            return []
        try:
            answer = self._modify_group(changing, add=add)
            if answer.code in (NO_SUCH_ATTRIBUTE, VALUE_EXISTS) and len(changing) > 1:
                return [result for one in changing for result in self._change_members([one], add=add)]
        except ConnectorError as error:
            unknown = f"Not known whether it was done: {error}"
            return [
                failure(one.account, unknown, permanent=error.permanent, retry_after=error.retry_after)
                for one in changing
            ]
        group = self._directory.layout.group
        if answer.code in (NO_SUCH_ATTRIBUTE, VALUE_EXISTS):
            values = self._directory.values(Found(changing[0].account, changing[0].entry, in_group=add))
            return [ActionResult(changing[0].account, Outcome.ALREADY, {group: values[group]})]
        return [_result(one.account, answer, {group: self._directory.values(one)[group]}) for one in changing]

    def _modify_group(self, changing: list[Found], *, add: bool) -> Answer:
        names = [one.entry.dn for one in changing if one.entry is not None]
        change: Changes = {self._directory.profile.member: [(ADD if add else DELETE, names)]}
        return self._directory.session.modify(self._directory.layout.group, change)


def _capabilities(directory: Directory, lag_seconds: float, rate_per_second: float) -> Capabilities:
    profile, layout = directory.profile, directory.layout
    actions = {Action.LOCK_ACCOUNT, Action.UNLOCK_ACCOUNT, Action.REQUIRE_PASSWORD_CHANGE, Action.READ_STATE}
    facts = {Fact.LOCKED, Fact.LOCKED_BY_FAILURES, Fact.PASSWORD_CHANGED_AT, Fact.MUST_CHANGE_PASSWORD}
    undone_by = {
        Action.LOCK_ACCOUNT: Action.UNLOCK_ACCOUNT,
        Action.UNLOCK_ACCOUNT: Action.LOCK_ACCOUNT,
    }
    permissions = [f"read under {layout.base}", f"write {profile.lock.attribute} and {profile.must_change.attribute}"]
    if profile.must_change.is_restorable:
        undone_by[Action.REQUIRE_PASSWORD_CHANGE] = Action.REQUIRE_PASSWORD_CHANGE
    if layout.group:
        actions |= set(REMOTE)
        facts |= {Fact.REMOTE_ACCESS}
        undone_by |= {REMOTE[0]: REMOTE[1], REMOTE[1]: REMOTE[0]}
        permissions.append(f"write {profile.member} of {layout.group}")
    return Capabilities(
        actions=frozenset(actions),
        facts=frozenset(facts),
        lag_seconds=lag_seconds,
        batch_size=BATCH,
        rate_per_second=rate_per_second,
        permissions=tuple(permissions),
        undone_by=undone_by,
    )


def _read(found: Found, values: Values) -> ActionResult:
    if found.entry is None:
        return failure(found.account, found.problem, permanent=True)
    return ActionResult(found.account, Outcome.OK, values)


def _changes(switch: Switch, raw: list[str], wanted: list[str]) -> Changes:
    """Replace it, with nothing when nothing is wanted: deleting what is not there is an error, replacing is not.

    A number of which only a bit is ours is swapped for the one that was read, so that no change of others is lost.
    """
    if switch.bit and raw:
        return {switch.attribute: [(DELETE, raw), (ADD, wanted)]}
    return {switch.attribute: [(REPLACE, wanted)]}


def _result(account: AccountRef, answer: Answer, before: Values) -> ActionResult:
    if answer.code == SUCCESS:
        return ActionResult(account, Outcome.OK, before)
    # A bit that was swapped under our hands, or a directory that is busy: worth another try.
    passing = answer.is_passing or answer.code == NO_SUCH_ATTRIBUTE
    return failure(
        account,
        f"The directory refused: {answer.words}. {MENDS.get(answer.code, '')}".strip(),
        permanent=not passing,
        before=before,
        retry_after=AGAIN_SECONDS if passing else None,
    )

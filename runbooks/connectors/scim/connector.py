"""A SCIM 2.0 service as a connector: `active` locks, one group or one attribute of the user is remote access.

SCIM has no sessions and no passwords to require: whoever is signed in stays so, and what `active` keeps out is for each
application to say. A change is to a state, so doing it twice does no more than doing it once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from runbooks.connectors.base import (
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
    check_request,
    failure,
)
from runbooks.connectors.scim.dialect import ACTIVE, Attribute, Dialect, ShapeError
from runbooks.connectors.scim.group import Group, GroupWriter
from runbooks.connectors.scim.self_test import examine
from runbooks.connectors.scim.service import Found, Service
from runbooks.connectors.scim.writing import Change, Writer

NO_BEFORE_VALUES = "Its before-values are missing. Act on it by itself."
TURNS_ON = {
    Action.LOCK_ACCOUNT: False,
    Action.UNLOCK_ACCOUNT: True,
    Action.RESTRICT_REMOTE_ACCESS: False,
    Action.RESTORE_REMOTE_ACCESS: True,
}
LOCKING = {Action.LOCK_ACCOUNT: Action.UNLOCK_ACCOUNT, Action.UNLOCK_ACCOUNT: Action.LOCK_ACCOUNT}
REMOTE = {
    Action.RESTRICT_REMOTE_ACCESS: Action.RESTORE_REMOTE_ACCESS,
    Action.RESTORE_REMOTE_ACCESS: Action.RESTRICT_REMOTE_ACCESS,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """What stands for what in one institution's service."""

    dialect: Dialect
    uses_bulk: bool = True
    group: str = ""
    """The id of the group whose direct members have remote access; or"""
    remote: Attribute | None = None
    """the attribute of a user that is true where they have it."""
    canary: str = ""
    """The login (or external id) of an account the self-test may write to without changing it."""


@dataclass(frozen=True, slots=True)
class Pace:
    lag_seconds: float
    batch_size: int
    rate_per_second: float


class ScimConnector:
    def __init__(self, service: Service, layout: Layout, pace: Pace) -> None:
        self._service, self._layout = service, layout
        self._writer = Writer(service, layout.dialect, uses_bulk=layout.uses_bulk)
        self._group = GroupWriter(service, layout.dialect, layout.group) if layout.group else None
        self._attributes = [ACTIVE, *([layout.remote] if layout.remote else [])]
        self.capabilities = _capabilities(service, layout, pace)

    def read(self, accounts: Sequence[AccountRef]) -> list[AccountState]:
        if not accounts:
            return []
        found, now = self._find(accounts), datetime.now(UTC)
        group = self._group.read() if self._group else None
        return [self._state(one, group, now) for one in found]

    def act(
        self, action: Action, accounts: Sequence[AccountRef], key: str, values: Mapping[str, Values] | None = None
    ) -> list[ActionResult]:
        """`key` is not needed: every change is to a state, so the second does nothing."""
        check_request(self.capabilities, action, accounts)
        if not accounts:
            return []
        found = self._find(accounts)
        if action is Action.READ_STATE:
            group = self._group.read() if self._group else None
            return [self._read(one, group) for one in found]
        if action in REMOTE and self._group:
            return self._act_on_group(self._group, found, on=TURNS_ON[action], values=values)
        attribute = self._layout.remote if action in REMOTE and self._layout.remote else ACTIVE
        return self._act_on_attribute(attribute, found, on=TURNS_ON[action], values=values)

    def self_test(self) -> list[Finding]:
        return examine(self._service, self._writer, self._group, self._layout.canary)

    def close(self) -> None:
        self._writer.forget()
        self._service.close()

    def _find(self, accounts: Sequence[AccountRef]) -> list[Found]:
        found = self._service.find(accounts, [attribute.path for attribute in self._attributes])
        return [self._understood(one) for one in found]

    def _understood(self, found: Found) -> Found:
        """One user that is odd keeps nobody else from being found."""
        try:
            for attribute in self._attributes:
                attribute.raw(found.user)
        except ShapeError as error:
            return Found(found.account, problem=str(error))
        return found

    def _act_on_attribute(
        self, attribute: Attribute, found: list[Found], *, on: bool, values: Mapping[str, Values] | None
    ) -> list[ActionResult]:
        results: dict[str, ActionResult] = {}
        changes: list[Change] = []
        for one in found:
            account = one.account
            kept = None if values is None else values.get(account.login, {}).get(attribute.path)
            raw = attribute.raw(one.user)
            wanted = kept if kept is not None else [str(on).lower()]
            before = {attribute.path: raw}
            if one.problem:
                results[account.login] = failure(account, one.problem, permanent=True)
            elif values is not None and kept not in ([], ["true"], ["false"]):
                results[account.login] = failure(account, NO_BEFORE_VALUES, permanent=True, before=before)
            elif raw == wanted:
                results[account.login] = ActionResult(account, Outcome.ALREADY, before)
            else:
                changes.append(Change(one, attribute, tuple(wanted), before))
        results |= {result.account.login: result for result in self._writer.write(changes)}
        return [results[one.account.login] for one in found]

    def _act_on_group(
        self, writer: GroupWriter, found: list[Found], *, on: bool, values: Mapping[str, Values] | None
    ) -> list[ActionResult]:
        group = writer.read()
        results: dict[str, ActionResult] = {}
        to_change: dict[bool, list[Found]] = {True: [], False: []}
        for one in found:
            account = one.account
            kept = None if values is None else values.get(account.login, {}).get(writer.id)
            wanted = on if values is None else bool(kept)
            if one.problem:
                results[account.login] = failure(account, one.problem, permanent=True)
            elif values is not None and kept is None:
                results[account.login] = failure(account, NO_BEFORE_VALUES, permanent=True)
            elif (one.id in group.members) == wanted:
                results[account.login] = ActionResult(account, Outcome.ALREADY, writer.before(one, group))
            else:
                to_change[wanted].append(one)
        changed = writer.change(to_change[True], to_change[False], group)
        results |= {result.account.login: result for result in changed}
        return [results[one.account.login] for one in found]

    def _state(self, found: Found, group: Group | None, now: datetime) -> AccountState:
        if found.problem:
            return AccountState(found.account, problem=found.problem)
        name, remote = self._service.name, self._layout.remote
        active = ACTIVE.raw(found.user)
        facts = {Fact.LOCKED: Reading(active == ["false"] if active else None, now, f"{name}: {ACTIVE.path}")}
        if group:
            facts[Fact.REMOTE_ACCESS] = Reading(found.id in group.members, now, f"{name}: group {self._layout.group}")
        elif remote:
            raw = remote.raw(found.user)
            facts[Fact.REMOTE_ACCESS] = Reading(raw == ["true"] if raw else None, now, f"{name}: {remote.path}")
        return AccountState(found.account, facts, self._values(found, group))

    def _read(self, found: Found, group: Group | None) -> ActionResult:
        if found.problem:
            return failure(found.account, found.problem, permanent=True)
        return ActionResult(found.account, Outcome.OK, self._values(found, group))

    def _values(self, found: Found, group: Group | None) -> dict[str, list[str]]:
        values = {attribute.path: attribute.raw(found.user) for attribute in self._attributes}
        return values | (self._group.before(found, group) if self._group and group else {})


def _capabilities(service: Service, layout: Layout, pace: Pace) -> Capabilities:
    has_remote = bool(layout.group or layout.remote)
    undone_by = LOCKING | (REMOTE if has_remote else {})
    users = f"read users, and write {ACTIVE.path}" + (f" and {layout.remote.path}" if layout.remote else "")
    return Capabilities(
        actions=frozenset({*undone_by, Action.READ_STATE}),
        facts=frozenset({Fact.LOCKED, *([Fact.REMOTE_ACCESS] if has_remote else [])}),
        lag_seconds=pace.lag_seconds,
        batch_size=pace.batch_size,
        rate_per_second=pace.rate_per_second,
        permissions=(users, *([f"read the group {layout.group}, and write its members"] if layout.group else [])),
        undone_by=undone_by,
    )

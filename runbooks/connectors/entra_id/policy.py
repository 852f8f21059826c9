"""The conditional access policy that keeps out whom it lists: its includeUsers are the restricted accounts.

A policy is written whole by whoever writes last, and read up to a minute late. So one worker changes it at a time, and
what was written lately is laid over what is read. Only includeUsers is ever sent: exclusions are never touched, and
without those of the break-glass accounts nothing is changed at all.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from runbooks.connectors.base import ConnectorError, Outcome
from runbooks.connectors.entra_id.memory import Pending
from runbooks.connectors.entra_id.remote_access import Change, Standing, listed
from runbooks.connectors.entra_id.session import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    Answer,
    Request,
    Session,
    UnansweredError,
)

PERMISSIONS: Final = ("Policy.Read.All", "Policy.ReadWrite.ConditionalAccess", "Application.Read.All")
APART: Final = timedelta(seconds=1)
TRIES: Final = 4
"""One request a second for the whole tenant, and no word on how long to wait: others may be at it too."""
EVERYBODY, NOBODY, ENFORCED = "All", "None", "enabled"
# With one of these set, a policy need not name a user.
OTHERS_INCLUDED: Final = ("includeGroups", "includeRoles", "includeGuestsOrExternalUsers")


class PolicyAccess:
    lists_restricted = True
    permissions = PERMISSIONS

    def __init__(self, session: Session, policy_id: str, break_glass: Sequence[str], pending: Pending) -> None:
        self._session, self.id, self._pending = session, policy_id.lower(), pending
        self.break_glass = frozenset(one.lower() for one in break_glass)
        self.source = f"conditional access policy {self.id}"
        self._asked_at: datetime | None = None

    def standing(self, ids: Sequence[str]) -> dict[str, Standing]:
        policy = self.policy()
        users, is_enforced = users_of(policy), policy.get("state") == ENFORCED
        included, excluded = names(users, "includeUsers"), names(users, "excludeUsers")
        kept_out = {one for one in ids if one in included or EVERYBODY.lower() in included} - excluded
        return {one: (not (is_enforced and one in kept_out), listed(one, is_in=one in included)) for one in ids}

    def policy(self) -> Mapping[str, Any]:
        """As Graph shows it now."""
        answer = self._paced(Request("GET", self._path))
        if not answer.is_ok:
            raise self._refused(answer)
        return answer.body

    def missing_exclusions(self, policy: Mapping[str, Any]) -> list[str]:
        return sorted(self.break_glass - names(users_of(policy), "excludeUsers"))

    def change(self, wanted: Mapping[str, bool], *, is_undoing: bool) -> dict[str, Change]:
        with self._pending.held():
            policy = self.policy()
            restricts = any(wanted.values()) and not is_undoing
            self._check(policy, restricts=restricts)
            users = users_of(policy)
            included = _overlaid([str(one) for one in users.get("includeUsers") or ()], self._pending.now())
            excluded = names(users, "excludeUsers")
            changes = {
                one: _verdict(one, included, excluded, is_in=is_in, is_undoing=is_undoing)
                for one, is_in in wanted.items()
            }
            moved = {one: wanted[one] for one, change in changes.items() if change.outcome is Outcome.OK}
            if not moved:
                return changes
            after = _written(_overlaid(included, moved), others=any(users.get(key) for key in OTHERS_INCLUDED))
            try:
                answer = self._paced(Request("PATCH", self._path, {"conditions": {"users": {"includeUsers": after}}}))
            except UnansweredError as error:
                return changes | dict.fromkeys(moved, _unknown(error))
            if not answer.is_ok:
                raise self._refused(answer)
            self._pending.add(moved)
            return changes

    @property
    def _path(self) -> str:
        return f"/identity/conditionalAccess/policies/{self.id}"

    def _check(self, policy: Mapping[str, Any], *, restricts: bool) -> None:
        if missing := self.missing_exclusions(policy):
            raise ConnectorError(
                f"The policy does not exclude the break-glass accounts {', '.join(missing)}. Exclude them in Entra.",
                permanent=True,
            )
        if restricts and policy.get("state") != ENFORCED:
            raise ConnectorError(
                f"The policy is {policy.get('state')}: restricting has no effect. Set it to {ENFORCED} in Entra.",
                permanent=True,
            )

    def _paced(self, request: Request) -> Answer:
        """A second apart, and a few more tries where others use the same second: a refused one did nothing."""
        for left in range(TRIES - 1, -1, -1):
            now = self._session.clock.now()
            if self._asked_at is not None and now - self._asked_at < APART:
                self._session.clock.wait((self._asked_at + APART - now).total_seconds())
            try:
                return self._session.call(request)
            except UnansweredError:
                raise
            except ConnectorError as error:
                if error.permanent or not left or (error.retry_after or 0) > APART.total_seconds():
                    raise
            finally:
                self._asked_at = self._session.clock.now()
        raise AssertionError("the last try returns or raises")

    def _refused(self, answer: Answer) -> ConnectorError:
        if answer.status == NOT_FOUND:
            return ConnectorError(f"There is no policy {self.id}. Check the setting policy.", permanent=True)
        passing = answer.status == CONFLICT or answer.is_passing
        mend = f" Grant {', '.join(PERMISSIONS)}." if answer.status == FORBIDDEN else ""
        return ConnectorError(
            f"Microsoft Graph refuses the policy ({answer.words}).{mend}",
            permanent=not passing,
            retry_after=answer.wait if passing else None,
        )


def users_of(policy: Mapping[str, Any]) -> Mapping[str, Any]:
    users = (policy.get("conditions") or {}).get("users")
    return users if isinstance(users, dict) else {}


def names(users: Mapping[str, Any], key: str) -> set[str]:
    """In small letters: object ids come in both."""
    return {str(one).lower() for one in users.get(key) or ()}


def _verdict(account_id: str, included: Sequence[str], excluded: set[str], *, is_in: bool, is_undoing: bool) -> Change:
    """What is to come of one. OK is what remains to be done."""
    there = {one.lower() for one in included}
    before, everybody = listed(account_id, is_in=account_id in there), EVERYBODY.lower() in there
    if not is_undoing and is_in and account_id in excluded:
        return Change(Outcome.FAILED, before, "The policy excludes it: restricting it has no effect.", permanent=True)
    if not is_undoing and not is_in and everybody:
        return Change(
            Outcome.FAILED, before, "The policy restricts everyone. Give access back in Entra.", permanent=True
        )
    is_so = is_in == bool(before) or (is_in and everybody)
    return Change(Outcome.ALREADY if is_so else Outcome.OK, before)


def _overlaid(included: Sequence[str], change: Mapping[str, bool]) -> list[str]:
    kept = [one for one in included if change.get(one.lower(), True)]
    there = {one.lower() for one in kept}
    return kept + [one for one, is_in in change.items() if is_in and one not in there]


def _written(included: Sequence[str], *, others: bool) -> list[str]:
    """A policy names somebody, or says that it means nobody."""
    named = [one for one in included if one != NOBODY]
    return named or ([] if others else [NOBODY])


def _unknown(error: UnansweredError) -> Change:
    message = f"Not known whether it was done: {error}"
    return Change(Outcome.FAILED, None, message, permanent=False, retry_after=error.retry_after)

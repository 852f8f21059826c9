"""Finding accounts in a tenant, and telling what is true of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from runbooks.connectors.base import AccountRef, AccountState, ConnectorError, Fact, Reading
from runbooks.connectors.entra_id.remote_access import RemoteAccess
from runbooks.connectors.entra_id.session import FORBIDDEN, NOT_FOUND, TOO_MANY, Answer, Request, Session

ENABLED, MUST_CHANGE = "accountEnabled", "forceChangePasswordNextSignIn"
PASSWORD_ROLE: Final = "User-PasswordProfile.ReadWrite.All"  # noqa: S105
IDENTITY: Final = ("id", ENABLED, "userType", "onPremisesSyncEnabled")
TIMES: Final = {
    Fact.SESSIONS_ENDED_AT: "signInSessionsValidFromDateTime",
    Fact.PASSWORD_CHANGED_AT: "lastPasswordChangeDateTime",
}
OBJECT_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
USER_PRINCIPAL_NAME: Final = re.compile(r"[^$@/\\?\s][^@/\\?\s]*@[^@/\\?\s]+")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the portal's directory names the accounts of a tenant."""

    by_external_id: bool = False
    """Whether accounts are found by their external id, which is then the object id of Entra."""
    domain: str = ""
    """Put behind a login that has no domain, to make it a user principal name."""
    password_change: bool = True
    """Whether the portal may require a new password."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the tenant holds for one account, or why there is nothing to act on."""

    account: AccountRef
    user: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    is_permanent: bool = True
    retry_after: float | None = None

    @property
    def id(self) -> str:
        return str(self.user.get("id", "")).lower()

    @property
    def sessions_since(self) -> str:
        return str(self.user.get(TIMES[Fact.SESSIONS_ENDED_AT]) or "")

    @property
    def is_guest(self) -> bool:
        return str(self.user.get("userType") or "").lower() == "guest"

    @property
    def is_synchronised(self) -> bool:
        return self.user.get("onPremisesSyncEnabled") is True


class Directory:
    def __init__(self, name: str, session: Session, layout: Layout, remote: RemoteAccess | None) -> None:
        self.name, self.session, self.layout, self.remote = name, session, layout, remote

    def find(self, accounts: Sequence[AccountRef], *, times: bool = False) -> list[Found]:
        """Each account, in the order given. Raises ConnectorError, also when only a part was throttled."""
        names = [self._name(account) for account in accounts]
        select = ",".join(self._selected(times=times)) if accounts else ""
        answers = iter(
            self.session.batch([Request("GET", f"/users/{quote(name)}?$select={select}") for name in names if name])
        )
        found = [
            _found(account, name, next(answers)) if name else Found(account, problem=self._no_name(account))
            for account, name in zip(accounts, names, strict=True)
        ]
        waits = [one.retry_after for one in found if one.retry_after is not None]
        if waits:
            raise ConnectorError("Microsoft Graph asks for a pause.", permanent=False, retry_after=max(waits))
        return found

    def states(self, accounts: Sequence[AccountRef]) -> list[AccountState]:
        found = self.find(accounts, times=True)
        access = self.remote.standing([one.id for one in found if one.user]) if self.remote and accounts else {}
        now = self.session.clock.now()
        return [self._state(one, access.get(one.id), now) for one in found]

    def values(self, found: Found) -> dict[str, list[str]]:
        """The before-values of the two switches: "true" or "false", as Graph writes them."""
        values = {ENABLED: [_text(found.user.get(ENABLED) is True)]}
        if "passwordProfile" in found.user:
            values[MUST_CHANGE] = [_text(_must_change(found.user))]
        return values

    def _state(self, found: Found, standing: "tuple[bool, list[str]] | None", now: datetime) -> AccountState:
        if not found.user:
            return AccountState(found.account, problem=found.problem)
        facts: dict[Fact, tuple[bool | datetime | None, str]] = {
            Fact.LOCKED: (found.user.get(ENABLED) is False, ENABLED)
        }
        facts |= {fact: (_moment(found.user.get(name)), name) for fact, name in TIMES.items()}
        values = self.values(found)
        if MUST_CHANGE in values:
            facts[Fact.MUST_CHANGE_PASSWORD] = (_must_change(found.user), f"passwordProfile/{MUST_CHANGE}")
        if self.remote and standing is not None:
            has_access, raw = standing
            facts[Fact.REMOTE_ACCESS] = (has_access, self.remote.source)
            values[self.remote.id] = raw
        readings = {fact: Reading(value, now, f"{self.name}: {where}") for fact, (value, where) in facts.items()}
        return AccountState(found.account, readings, values)

    def _selected(self, *, times: bool) -> list[str]:
        """The password profile only where it may be read: asking for it otherwise refuses the whole account."""
        names = [*IDENTITY, *(TIMES.values() if times else ())]
        if self.layout.password_change and PASSWORD_ROLE in self.session.roles():
            names.append("passwordProfile")
        return names

    def _name(self, account: AccountRef) -> str:
        """What stands for the account in an address; empty where the portal's directory has nothing fit for one.

        A login such as "delta" or "$count" is a word of Graph's own there.
        """
        if self.layout.by_external_id:
            return account.external_id if OBJECT_ID.fullmatch(account.external_id) else ""
        whole = account.login if "@" in account.login else f"{account.login}@{self.layout.domain}"
        return whole if USER_PRINCIPAL_NAME.fullmatch(whole) else ""

    def _no_name(self, account: AccountRef) -> str:
        if self.layout.by_external_id:
            return f"The external id {account.external_id or 'this account lacks'} is not an object id of Entra."
        return f"The login {account.login} is not a user principal name. Set domain, or find_by to external_id."


def _found(account: AccountRef, name: str, answer: Answer) -> Found:
    if answer.is_ok and answer.body.get("id"):
        return Found(account, answer.body)
    if answer.status == NOT_FOUND:
        return Found(account, problem=f"No account of the tenant is {name}.")
    if answer.status == FORBIDDEN:
        return Found(account, problem="Microsoft Graph does not let the portal read accounts. Grant User.Read.All.")
    problem = f"Microsoft Graph did not read the account ({answer.words})."
    paused = answer.status == TOO_MANY or (answer.is_passing and answer.status <= 0)
    return Found(account, {}, problem, not answer.is_passing, answer.wait if paused else None)


def _must_change(user: Mapping[str, Any]) -> bool:
    profile = user.get("passwordProfile")
    return isinstance(profile, dict) and profile.get(MUST_CHANGE) is True


def _moment(raw: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(raw)) if raw else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _text(value: bool) -> str:
    return "true" if value else "false"

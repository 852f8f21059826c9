"""Finding accounts in an LDAP directory, and telling what is true of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from runbooks.connectors.base import AccountRef, AccountState, ConnectorError, Fact, Reading
from runbooks.connectors.ldap.profile import Profile
from runbooks.connectors.ldap.session import Entry, Session, escaped

SOUGHT_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in one institution's directory."""

    base: str
    login: str
    """The attribute that holds the login as the portal knows it."""
    external_id: str = ""
    """The attribute that holds the external id; where it is set, accounts are found by it alone."""
    group: str = ""
    """The DN of the group whose direct members have remote access."""
    policy: str = ""
    """The DN of the default policy, needed where there are several."""
    canary: str = ""
    """The login of an account the self-test may write to without changing it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the directory holds for one account: its entry, or why there is none."""

    account: AccountRef
    entry: Entry | None = None
    problem: str = ""
    in_group: bool | None = None


@dataclass(frozen=True, slots=True)
class Policies:
    """Which accounts a lock keeps out: the default policy's word, and that of each policy by normal DN."""

    default: bool
    by_dn: Mapping[str, bool] = field(default_factory=dict)


class Directory:
    def __init__(self, name: str, session: Session, profile: Profile, layout: Layout) -> None:
        self.name, self.session, self.profile, self.layout = name, session, profile, layout

    def find(self, accounts: Sequence[AccountRef], *, groups: bool) -> list[Found]:
        """Each account's entry, in the order given; with `groups`, whether it is a member of the group."""
        entries: dict[str, list[Entry]] = {}
        key = self._key_attribute()
        for start in range(0, len(accounts), SOUGHT_AT_ONCE):
            for entry in self._matching(accounts[start : start + SOUGHT_AT_ONCE]):
                for value in entry.get(key):
                    entries.setdefault(value.lower(), []).append(entry)
        members = self._members() if groups and self.layout.group and not self.profile.member_of and accounts else None
        return [self._found(account, entries.get(self._key(account).lower(), []), members) for account in accounts]

    def locks_work(self, found: Found, policies: Policies) -> bool:
        """Whether a lock keeps this account out."""
        rules = self.profile.policy
        own = found.entry.get(rules.of_account) if rules and found.entry else []
        return policies.by_dn.get(normal(own[0]), False) if own else policies.default

    def policies(self) -> Policies:
        rules = self.profile.policy
        if rules is None:
            return Policies(default=True)
        by_dn = {normal(entry.dn): entry.get(rules.locks) == ["TRUE"] for entry in self.policy_entries()}
        if self.layout.policy:
            return Policies(by_dn.get(normal(self.layout.policy), False), by_dn)
        # Nobody but the server's configuration knows the default: a lock is believed where every policy keeps it.
        return Policies(bool(by_dn) and all(by_dn.values()), by_dn)

    def policy_entries(self) -> Iterator[Entry]:
        rules = self.profile.policy
        if rules is not None:
            wanted = f"(objectClass={rules.object_class})"
            yield from self.session.search(self.layout.base, wanted, [rules.locks, rules.forces_change])

    def state(self, found: Found, policies: Policies) -> AccountState:
        if found.entry is None:
            return AccountState(found.account, problem=found.problem)
        profile, entry, now = self.profile, found.entry, datetime.now(UTC)
        lock, changed = entry.get(profile.lock.attribute), entry.get(profile.changed_at)
        has_failed = any(value not in {"0", profile.lock.on} for value in entry.get(profile.failures))
        facts = {
            Fact.LOCKED: (profile.lock.is_on(lock) and self.locks_work(found, policies), profile.lock.attribute),
            Fact.LOCKED_BY_FAILURES: (has_failed, profile.failures),
            Fact.MUST_CHANGE_PASSWORD: (
                profile.must_change.is_on(entry.get(profile.must_change.attribute)),
                profile.must_change.attribute,
            ),
            Fact.PASSWORD_CHANGED_AT: (profile.moment(changed[0]) if changed else None, profile.changed_at),
        }
        if found.in_group is not None:
            facts[Fact.REMOTE_ACCESS] = (found.in_group, self.layout.group)
        readings = {fact: Reading(value, now, f"{self.name}: {where}") for fact, (value, where) in facts.items()}
        return AccountState(found.account, readings, self.values(found))

    def values(self, found: Found) -> dict[str, list[str]]:
        """The before-values: the two switches as they stand, and under the group's DN the account's own if it is in."""
        if found.entry is None:
            return {}
        names = (self.profile.lock.attribute, self.profile.must_change.attribute)
        values = {name: found.entry.get(name) for name in names}
        if found.in_group is not None:
            values[self.layout.group] = [found.entry.dn] if found.in_group else []
        return values

    def _matching(self, accounts: Sequence[AccountRef]) -> Iterator[Entry]:
        key = self._key_attribute()
        terms = "".join(f"({key}={escaped(self._key(account))})" for account in accounts if self._key(account))
        if terms:
            wanted = f"(&{self.profile.person_filter}(|{terms}))"
            yield from self.session.search(self.layout.base, wanted, self._attributes(key))

    def _attributes(self, key: str) -> list[str]:
        profile = self.profile
        names = {key, profile.lock.attribute, profile.must_change.attribute, profile.changed_at, profile.failures}
        names |= {profile.policy.of_account} if profile.policy else set()
        return sorted(names | ({profile.member_of} if profile.member_of else set()))

    def _key_attribute(self) -> str:
        return self.layout.external_id or self.layout.login

    def _key(self, account: AccountRef) -> str:
        return account.external_id if self.layout.external_id else account.login

    def _members(self) -> set[str]:
        """Everybody in the group, in one read: 9,000 take some 20 ms."""
        group = self.session.entry(self.layout.group, [self.profile.member])
        if group is None:
            raise ConnectorError(f"There is no group {self.layout.group}. Check the setting group.", permanent=True)
        return {normal(dn) for dn in group.get(self.profile.member)}

    def _found(self, account: AccountRef, entries: list[Entry], members: set[str] | None) -> Found:
        key = self._key_attribute()
        if len(entries) != 1:
            problem = f"{len(entries)} entries have" if entries else "No entry has"
            return Found(account, problem=f"{problem} the {key} {self._key(account) or 'this account lacks'}.")
        (entry,) = entries
        if not self.layout.group:
            return Found(account, entry)
        if self.profile.member_of:
            groups = {normal(dn) for dn in entry.get(self.profile.member_of)}
            return Found(account, entry, in_group=normal(self.layout.group) in groups)
        return Found(account, entry, in_group=None if members is None else normal(entry.dn) in members)


def normal(dn: str) -> str:
    """A DN in one spelling, to compare it with another."""
    return ",".join(part.strip() for part in dn.split(",")).lower()

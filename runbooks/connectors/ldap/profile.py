"""What differs between directories that speak LDAP, as data."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

# RFC 4517: a time and its zone, which directories write as Z.
GENERALIZED_TIMES: Final = ("%Y%m%d%H%M%SZ", "%Y%m%d%H%M%S.%fZ", "%Y%m%d%H%MZ")
WINDOWS_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Switch:
    """An attribute that turns something on. With `bit`, it is a number of which only that bit is ours."""

    attribute: str
    on: str = ""
    bit: int = 0
    is_restorable: bool = True
    """Whether the directory takes back whatever value it held before."""

    def is_on(self, raw: list[str]) -> bool:
        if self.bit:
            return bool(raw) and bool(int(raw[0]) & self.bit)
        return raw == [self.on]

    def turned(self, raw: list[str], *, on: bool) -> list[str]:
        """The values that have it on or off, beside what the attribute holds of others."""
        if not self.bit:
            return [self.on] if on else []
        number = int(raw[0]) if raw else 0
        return [str(number | self.bit if on else number & ~self.bit)]

    def put_back(self, raw: list[str], before: list[str]) -> list[str]:
        """The values that have it as it was, beside what others changed since."""
        return self.turned(raw, on=self.is_on(before)) if self.bit else before


@dataclass(frozen=True, slots=True)
class PolicyRules:
    """Where a directory keeps the rules without which its switches do nothing."""

    object_class: str
    locks: str
    forces_change: str
    of_account: str
    """The operational attribute that names an account's own policy."""


@dataclass(frozen=True, slots=True)
class Profile:
    name: str
    person_filter: str
    login: str
    lock: Switch
    failures: str
    """Holds something other than 0 and the lock's own value when failed sign-ins locked the account."""
    must_change: Switch
    changed_at: str
    moment: Callable[[str], datetime | None]
    group_classes: tuple[str, ...]
    member: str
    member_of: str
    """The account's attribute that lists its groups; empty where only the group's own list is to be trusted."""
    policy: PolicyRules | None


def generalized_time(text: str) -> datetime | None:
    for layout in GENERALIZED_TIMES:
        try:
            return datetime.strptime(text, layout).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def windows_time(text: str) -> datetime | None:
    """Active Directory counts tenths of a microsecond since 1601; 0 and -1 mean no time."""
    if not text.isdecimal() or int(text) == 0:
        return None
    return WINDOWS_EPOCH + timedelta(microseconds=int(text) // 10)


OPENLDAP: Final = Profile(
    name="openldap",
    person_filter="(objectClass=inetOrgPerson)",
    login="uid",
    # The one value that never runs out; a real time is a lock by failed sign-ins.
    lock=Switch("pwdAccountLockedTime", on="000001010000Z"),
    failures="pwdAccountLockedTime",
    must_change=Switch("pwdReset", on="TRUE"),
    changed_at="pwdChangedTime",
    moment=generalized_time,
    group_classes=("groupOfNames",),
    member="member",
    member_of="",
    policy=PolicyRules("pwdPolicy", "pwdLockout", "pwdMustChange", "pwdPolicySubentry"),
)
ACTIVE_DIRECTORY: Final = Profile(
    name="active_directory",
    person_filter="(&(objectClass=user)(objectCategory=person))",
    login="sAMAccountName",
    lock=Switch("userAccountControl", bit=0x2),
    failures="lockoutTime",
    # 0 asks for a change. Nothing else but -1, "now", can be written, so the old time cannot come back.
    must_change=Switch("pwdLastSet", on="0", is_restorable=False),
    changed_at="pwdLastSet",
    moment=windows_time,
    group_classes=("group",),
    member="member",
    member_of="memberOf",
    policy=None,
)
PROFILES: Final = {profile.name: profile for profile in (OPENLDAP, ACTIVE_DIRECTORY)}

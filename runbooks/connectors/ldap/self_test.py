"""What would keep an LDAP directory from doing what it is asked: asked of the server itself, changing nothing."""

from collections.abc import Callable, Iterator

from runbooks.connectors.base import AccountRef, ConnectorError, Finding, Severity
from runbooks.connectors.ldap.directory import Directory, Found, normal
from runbooks.connectors.ldap.profile import PolicyRules, Switch
from runbooks.connectors.ldap.session import ADD, DELETE, REPLACE, SUCCESS, Changes

NO_ATTRIBUTES = "1.1"


def examine(directory: Directory) -> list[Finding]:
    findings: list[Finding] = []
    checks: tuple[Callable[[Directory], Iterator[Finding]], ...] = (_people, _policies, _group, _rights)
    for check in checks:
        try:
            findings += check(directory)
        except ConnectorError as error:
            findings.append(_error(str(error), "Mend this first, then check again."))
            if not error.permanent:
                break
    return findings


def _error(what: str, mend: str) -> Finding:
    return Finding(Severity.ERROR, what, mend)


def _warning(what: str, mend: str) -> Finding:
    return Finding(Severity.WARNING, what, mend)


def _people(directory: Directory) -> Iterator[Finding]:
    """Also the first to connect: an answer means that the address, the certificate and the password are right."""
    profile, layout = directory.profile, directory.layout
    count = sum(1 for _ in directory.session.search(layout.base, profile.person_filter, [NO_ATTRIBUTES]))
    if count:
        yield Finding(Severity.FINE, f"{count:,} accounts can be read under {layout.base}.")
    else:
        yield _error(f"No account can be read under {layout.base}.", "Check base, and the read right of bind_dn.")
    unknown = f"(&{profile.person_filter}(!({profile.changed_at}=*)))"
    silent = sum(1 for _ in directory.session.search(layout.base, unknown, [NO_ATTRIBUTES]))
    if silent:
        yield Finding(
            Severity.FINE,
            f"{silent:,} accounts have no {profile.changed_at}: never changed since they were loaded.",
        )


def _policies(directory: Directory) -> Iterator[Finding]:
    rules, layout = directory.profile.policy, directory.layout
    if rules is None:
        return
    if not directory.session.runs_policies():
        yield _error(
            "No password policy answered when the portal signed in: locking has no effect.",
            "Set up the ppolicy overlay on the database that holds the accounts and bind_dn.",
        )
        return
    policies = {normal(entry.dn): entry for entry in directory.policy_entries()}
    if not policies:
        yield _error("No password policy can be read: locking has no effect.", "Make one, or let bind_dn read it.")
    if layout.policy and normal(layout.policy) not in policies:
        yield _error(f"There is no policy {layout.policy}.", "Check the setting policy.")
    for dn, entry in policies.items():
        yield from _of_policy(rules, dn, entry.get(rules.locks), entry.get(rules.forces_change))


def _of_policy(rules: PolicyRules, dn: str, locks: list[str], forces: list[str]) -> Iterator[Finding]:
    if locks == ["TRUE"]:
        yield Finding(Severity.FINE, f"The policy {dn} keeps locked accounts out.")
    else:
        yield _error(f"The policy {dn} has {rules.locks} FALSE: locking has no effect.", f"Set {rules.locks} to TRUE.")
    if forces != ["TRUE"]:
        yield _warning(
            f"The policy {dn} has {rules.forces_change} FALSE: requiring a new password has no effect.",
            f"Set {rules.forces_change} to TRUE.",
        )


def _group(directory: Directory) -> Iterator[Finding]:
    profile, group = directory.profile, directory.layout.group
    if not group:
        yield _warning("No group stands for remote access, which cannot be restricted.", "Set group to its DN.")
        return
    entry = directory.session.entry(group, [profile.member, "objectClass"])
    if entry is None:
        yield _error(f"There is no group {group}.", "Check the setting group, and the read right of bind_dn.")
        return
    members = {normal(dn) for dn in entry.get(profile.member)}
    yield Finding(Severity.FINE, f"{len(members):,} members of {group} have remote access.")
    classes = "".join(f"(objectClass={name})" for name in profile.group_classes)
    for other in directory.session.search(directory.layout.base, f"(|{classes})", [NO_ATTRIBUTES]):
        if normal(other.dn) in members:
            yield _warning(
                f"{group} contains the group {other.dn}, whose members keep remote access.",
                "Name its members one by one, or take it out.",
            )


def _rights(directory: Directory) -> Iterator[Finding]:
    canary = directory.layout.canary
    if not canary:
        yield _warning("Whether the portal may write was not tried.", "Set canary to the login of a test account.")
        return
    reference = AccountRef(canary, external_id=canary)
    (found,) = directory.find([reference], groups=True)
    if found.entry is None:
        yield _error(f"The canary {canary} was not found: {found.problem}", "Check the setting canary.")
        return
    profile, layout = directory.profile, directory.layout
    for switch in (profile.lock, profile.must_change):
        if switch.is_restorable:
            yield _tried(directory, found.entry.dn, _same(switch, found), switch.attribute)
    if layout.group:
        yield _tried(directory, layout.group, _in_and_out(profile.member, found), f"{profile.member} of {layout.group}")


def _tried(directory: Directory, dn: str, changes: Changes, what: str) -> Finding:
    answer = directory.session.modify(dn, changes)
    if answer.code == SUCCESS:
        return Finding(Severity.FINE, f"The portal may write {what}.")
    return _error(f"The portal may not write {what} ({answer.words}).", f"Grant bind_dn the right to write {what}.")


def _same(switch: Switch, found: Found) -> Changes:
    """Write what stands there already."""
    raw = found.entry.get(switch.attribute) if found.entry else []
    return {switch.attribute: [(REPLACE, raw)]}


def _in_and_out(member: str, found: Found) -> Changes:
    """In one request, which leaves the group as it was."""
    names = [found.entry.dn] if found.entry else []
    steps = [(ADD, names), (DELETE, names)]
    return {member: steps[::-1] if found.in_group else steps}

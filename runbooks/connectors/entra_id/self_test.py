"""What would keep a tenant from doing what it is asked: asked of Graph itself, changing nothing."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from runbooks.connectors.base import Capabilities, ConnectorError, Finding, Severity
from runbooks.connectors.entra_id.directory import Directory
from runbooks.connectors.entra_id.group import PERMISSION, GroupAccess
from runbooks.connectors.entra_id.policy import ENFORCED, EVERYBODY, PolicyAccess, names, users_of

# A permission that does as well, though it is more than is needed.
INSTEAD: Final = {
    "User.Read.All": ("User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"),
    "User.EnableDisableAccount.All": ("User.ReadWrite.All", "Directory.ReadWrite.All"),
    "GroupMember.ReadWrite.All": ("Group.ReadWrite.All", "Directory.ReadWrite.All"),
    "Application.Read.All": ("Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"),
}
TOO_MUCH: Final = (
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "Directory.ReadWrite.All",
    "RoleManagement.ReadWrite.Directory",
    "User.ReadWrite.All",
)
GROUP_PROPERTIES: Final = "id,displayName,groupTypes,isAssignableToRole,onPremisesSyncEnabled"
BY_GROUP: Final = ("includeGroups", "excludeGroups", "includeRoles", "excludeRoles")


def examine(directory: Directory, capabilities: Capabilities) -> list[Finding]:
    findings: list[Finding] = []
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: _permissions(directory, capabilities),
        lambda: _accounts(directory),
        lambda: _remote_access(directory),
    )
    for check in checks:
        try:
            findings += check()
        except ConnectorError as error:
            findings.append(_error(str(error), "Mend this first, then check again."))
            if not findings[1:]:  # without a token nothing else can be asked
                break
    return findings


def _error(what: str, mend: str) -> Finding:
    return Finding(Severity.ERROR, what, mend)


def _warning(what: str, mend: str) -> Finding:
    return Finding(Severity.WARNING, what, mend)


def _permissions(directory: Directory, capabilities: Capabilities) -> Iterator[Finding]:
    """Also the first to connect: a token means that the tenant, the application and its secret are right."""
    roles = directory.session.roles()
    yield Finding(Severity.FINE, "The tenant gives the portal's application a token.")
    for permission in capabilities.permissions:
        if roles.isdisjoint({permission, *INSTEAD.get(permission, ())}):
            yield _error(
                f"The application lacks the permission {permission}.",
                f"Grant the application permission {permission} and consent to it for the tenant.",
            )
        else:
            yield Finding(Severity.FINE, f"The application has {permission}.")
    for permission in sorted(roles & set(TOO_MUCH)):
        yield _warning(f"The application has {permission}, more than the portal needs.", "Take it away.")


def _accounts(directory: Directory) -> Iterator[Finding]:
    answer = directory.session.get("/users?$top=1&$select=id")
    if answer.is_ok and answer.body.get("value"):
        yield Finding(Severity.FINE, "Accounts of the tenant can be read.")
    else:
        yield _error(f"No account of the tenant can be read ({answer.words}).", "Grant User.Read.All.")


def _remote_access(directory: Directory) -> Iterator[Finding]:
    match directory.remote:
        case GroupAccess() as group:
            yield from _group(directory, group)
        case PolicyAccess() as policy:
            yield from _policy(policy, policy.policy())
        case _:
            yield _warning(
                "Nothing stands for remote access, which cannot be restricted.", "Set group or policy to its id."
            )


def _group(directory: Directory, group: GroupAccess) -> Iterator[Finding]:
    answer = directory.session.get(f"/groups/{group.id}?$select={GROUP_PROPERTIES}")
    if not answer.is_ok:
        yield _error(
            f"The group {group.id} cannot be read ({answer.words}).", f"Check the setting group, and {PERMISSION}."
        )
        return
    yield Finding(Severity.FINE, f"{len(group.members()):,} members of the group {group.id}, which has remote access.")
    if "DynamicMembership" in (answer.body.get("groupTypes") or ()):
        yield _error("The group is filled by a rule, which nobody else can.", "Name a group with assigned members.")
    if answer.body.get("onPremisesSyncEnabled"):
        yield _error("The group comes from a directory on premises.", "Change it there, or name a group of the cloud.")
    if answer.body.get("isAssignableToRole"):
        yield _error("The group is one that roles are assigned to.", "Name a group without roles.")
    for inner in directory.session.pages(f"/groups/{group.id}/members/microsoft.graph.group?$select=id"):
        yield _warning(
            f"The group contains the group {inner['id']}, whose members keep remote access.",
            "Name its members one by one, or take it out.",
        )


def _policy(policy: PolicyAccess, found: Mapping[str, Any]) -> Iterator[Finding]:
    users = users_of(found)
    yield Finding(Severity.FINE, f"Accounts the policy restricts: {len(_people(users)):,}.")
    if found.get("state") != ENFORCED:
        yield _error(f"The policy is {found.get('state')}: restricting has no effect.", f"Set it to {ENFORCED}.")
    if missing := policy.missing_exclusions(found):
        yield _error(
            f"The policy does not exclude the break-glass accounts {', '.join(missing)}: nothing would be changed.",
            "Exclude them in Entra.",
        )
    else:
        yield Finding(Severity.FINE, f"The policy excludes {len(policy.break_glass)} break-glass accounts.")
    if "block" not in ((found.get("grantControls") or {}).get("builtInControls") or ()):
        yield _error("The policy does not block access.", "Set its grant control to block.")
    if EVERYBODY.lower() in names(users, "includeUsers"):
        yield _error("The policy restricts everyone: nobody can be given access back.", "Include accounts one by one.")
    if any(users.get(key) for key in BY_GROUP):
        yield _warning(
            "The policy names groups or roles: whom they restrict or free is not read back.", "Name accounts only."
        )
    if not (((found.get("conditions") or {}).get("locations") or {}).get("excludeLocations")):
        yield _warning(
            "The policy excludes no place: people on site are kept out as well.", "Exclude the trusted locations."
        )


def _people(users: Mapping[str, Any]) -> set[str]:
    return names(users, "includeUsers") - {"none", "all", "guestsorexternalusers"}

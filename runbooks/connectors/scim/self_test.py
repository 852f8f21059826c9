"""What would keep a SCIM service from doing what it is asked: asked of the service itself, changing nothing."""

from collections.abc import Callable, Iterator

from runbooks.connectors.base import AccountRef, ConnectorError, Finding, Outcome, Severity
from runbooks.connectors.scim.dialect import ACTIVE
from runbooks.connectors.scim.group import GroupWriter
from runbooks.connectors.scim.service import Service
from runbooks.connectors.scim.writing import Change, Writer


def examine(service: Service, writer: Writer, group: GroupWriter | None, canary: str) -> list[Finding]:
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: _users(service),
        lambda: _ways(service, writer),
        lambda: _group(group),
        lambda: _rights(service, writer, canary),
    )
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check()
        except ConnectorError as error:
            findings.append(Finding(Severity.ERROR, str(error), "Mend this first, then check again."))
            if not error.permanent:
                break
    return findings


def _users(service: Service) -> Iterator[Finding]:
    """Also the first to connect: an answer means that the address, the certificate and the token are right."""
    count = service.count()
    if count:
        yield Finding(Severity.FINE, f"{count:,} users can be read at {service.host}.")
    else:
        yield Finding(Severity.ERROR, "No user can be read.", "Check url, and what the token is granted.")
    if not service.support().filters and service.find_by != "id":
        yield Finding(Severity.ERROR, f"{service.host} has no filters: nobody is found.", "Set find_by to id.")


def _ways(service: Service, writer: Writer) -> Iterator[Finding]:
    if not writer.patches:
        yield Finding(
            Severity.WARNING,
            "Each user is written whole (PUT): two requests an account, and what the token cannot read may be lost.",
            "Set dialect to one with PATCH where the service has it.",
        )
    elif writer.bulk_operations:
        yield Finding(Severity.FINE, f"Users are changed by PATCH, {writer.bulk_operations:,} in one request at most.")
    else:
        yield Finding(Severity.FINE, "Users are changed by PATCH, one by one.")


def _group(group: GroupWriter | None) -> Iterator[Finding]:
    if group is None:
        return
    held = group.read()
    yield Finding(Severity.FINE, f"{len(held.members):,} members of the group {group.id} have remote access.")
    for inner in held.groups:
        yield Finding(
            Severity.WARNING,
            f"The group {group.id} contains the group {inner}, whose members keep remote access.",
            "Name its members one by one, or take it out.",
        )


def _rights(service: Service, writer: Writer, canary: str) -> Iterator[Finding]:
    """Writes to the test account what stands there already."""
    if not canary:
        what = "Whether the portal may write was not tried."
        yield Finding(Severity.WARNING, what, "Set canary to the login of a test account.")
        return
    (found,) = service.find([AccountRef(canary, external_id=canary)], [ACTIVE.path])
    if found.problem:
        yield Finding(Severity.ERROR, f"The canary was not found: {found.problem}", "Check the setting canary.")
        return
    raw = ACTIVE.raw(found.user)
    if not raw:
        what = f"The canary {canary} has no {ACTIVE.path}: writing was not tried."
        yield Finding(Severity.WARNING, what, "Take a test account that has it.")
        return
    result = writer.write_one(Change(found, ACTIVE, tuple(raw), {ACTIVE.path: raw}))
    if result.outcome is Outcome.OK:
        yield Finding(Severity.FINE, f"The portal may write {ACTIVE.path}.")
    else:
        mend = "Grant the token to write users, or set another dialect."
        yield Finding(Severity.ERROR, f"The portal cannot write {ACTIVE.path}: {result.message}", mend)

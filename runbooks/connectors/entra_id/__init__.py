"""Microsoft Entra ID by Microsoft Graph v1.0, as an application with permissions of its own."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from runbooks.connectors.entra_id.connector import MOST_PER_SECOND, EntraConnector
from runbooks.connectors.entra_id.directory import OBJECT_ID, Directory, Layout
from runbooks.connectors.entra_id.group import GroupAccess
from runbooks.connectors.entra_id.memory import Pending
from runbooks.connectors.entra_id.policy import PolicyAccess
from runbooks.connectors.entra_id.remote_access import RemoteAccess
from runbooks.connectors.entra_id.session import Session
from runbooks.connectors.entra_id.token import Application, Clock
from runbooks.connectors.options import MisconfiguredError, Options

GRAPH, AUTHORITY = "https://graph.microsoft.com/v1.0", "https://login.microsoftonline.com"
FOUND_BY: Final = ("login", "external_id")
TENANT: Final = re.compile(r"[A-Za-z0-9.-]+")
LEAST_BREAK_GLASS = 2


def connect(name: str, options: Mapping[str, Any], clock: Clock | None = None) -> EntraConnector:
    read, clock = Options(name, options), clock or Clock()
    base_url = _address(name, "base_url", read.text("base_url", GRAPH))
    session = Session(_application(read, base_url), base_url, ca_file=read.text("ca_file", ""), clock=clock)
    found_by = read.text("find_by", FOUND_BY[0])
    if found_by not in FOUND_BY:
        raise MisconfiguredError(f"The connection {name} has find_by {found_by!r}. Write login or external_id.")
    layout = Layout(
        by_external_id=found_by == FOUND_BY[1],
        domain=read.text("domain", ""),
        password_change=read.boolean("password_change", default=True),
    )
    lag = read.number("lag_seconds", 60)
    rate = read.number("rate_per_second", MOST_PER_SECOND, least=0.1, most=MOST_PER_SECOND)
    remote = _remote_access(read, session, lag)
    read.finish()
    return EntraConnector(Directory(name, session, layout, remote), lag_seconds=lag, rate_per_second=rate)


def _application(read: Options, base_url: str) -> Application:
    tenant, client_id = read.text("tenant"), read.text("client_id")
    if not TENANT.fullmatch(tenant):
        raise MisconfiguredError(f"The connection {read.name} has no tenant's id or domain in tenant.")
    parts = urlsplit(base_url)
    return Application(
        tenant=tenant,
        client_id=client_id,
        secret=read.secret("client_secret"),
        authority=_address(read.name, "authority", read.text("authority", AUTHORITY)),
        scope=f"{parts.scheme}://{parts.netloc}/.default",
    )


def _remote_access(read: Options, session: Session, lag: float) -> RemoteAccess | None:
    group, policy, break_glass = read.text("group", ""), read.text("policy", ""), read.text("break_glass", "")
    if group and policy:
        raise MisconfiguredError(f"The connection {read.name} has a group and a policy. Keep one of them.")
    for key, value in (("group", group), ("policy", policy)):
        if value and not OBJECT_ID.fullmatch(value):
            raise MisconfiguredError(f"The connection {read.name} has no object id in {key}.")
    if group:
        return GroupAccess(session, group)
    if not policy:
        return None
    excluded = {one.lower() for one in re.split(r"[,\s]+", break_glass) if one}
    if len(excluded) < LEAST_BREAK_GLASS or not all(OBJECT_ID.fullmatch(one) for one in excluded):
        raise MisconfiguredError(
            f"The connection {read.name} names too few break-glass accounts. "
            "Write the object ids of two at least into break_glass, with commas between them."
        )
    pending = Pending(f"{session.base_url}\0{policy.lower()}", 2 * lag, session.clock)
    return PolicyAccess(session, policy, sorted(excluded), pending)


def _address(name: str, key: str, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.query or parts.username:
        raise MisconfiguredError(f"The connection {name} has no address in {key}. Write https://host.")
    return url.rstrip("/")

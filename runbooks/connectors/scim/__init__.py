"""SCIM 2.0, in the dialects servers really speak."""

from collections.abc import Mapping
from typing import Any

from runbooks.connectors.options import MisconfiguredError, Options
from runbooks.connectors.scim.connector import Layout, Pace, ScimConnector
from runbooks.connectors.scim.dialect import DIALECTS, Attribute
from runbooks.connectors.scim.service import EXTERNAL_ID, ID, MEDIA, USER_NAME, Service
from runbooks.connectors.web import WebSession, place

BATCH, MOST_BATCH = 200, 1000
FOUND_BY = (USER_NAME, EXTERNAL_ID, ID)


def connect(name: str, options: Mapping[str, Any]) -> ScimConnector:
    read = Options(name, options)
    headers = {"Authorization": f"Bearer {read.secret('token')}", "Accept": f"{MEDIA}, application/json"}
    session = WebSession(place(name, read.text("url"), read.text("ca_file", "")), headers)
    dialect = DIALECTS.get(read.text("dialect", "rfc7644"))
    if dialect is None:
        raise MisconfiguredError(f"The connection {name} has an unknown dialect. There are: {', '.join(DIALECTS)}.")
    find_by = read.text("find_by", USER_NAME)
    if find_by not in FOUND_BY:
        raise MisconfiguredError(f"The connection {name} finds nobody. Set find_by to one of {', '.join(FOUND_BY)}.")
    group, remote = read.text("group", ""), read.text("remote_access_attribute", "")
    if group and remote:
        raise MisconfiguredError(f"The connection {name} has both group and remote_access_attribute. Keep one.")
    layout = Layout(
        dialect=dialect,
        uses_bulk=read.boolean("bulk", default=True),
        group=group,
        remote=Attribute(remote) if remote else None,
        canary=read.text("canary", ""),
    )
    pace = Pace(
        lag_seconds=read.number("lag_seconds", 0),
        batch_size=int(read.number("batch_size", BATCH, least=1, most=MOST_BATCH)),
        rate_per_second=read.number("rate_per_second", 10, least=0.1),
    )
    read.finish()
    return ScimConnector(Service(name, session, find_by), layout, pace)

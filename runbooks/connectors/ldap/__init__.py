"""OpenLDAP with its password policies; Active Directory's attributes by a profile."""

from collections.abc import Mapping
from typing import Any

from runbooks.connectors.ldap.connector import LdapConnector
from runbooks.connectors.ldap.directory import Directory, Layout
from runbooks.connectors.ldap.profile import OPENLDAP, PROFILES
from runbooks.connectors.ldap.session import Session, address
from runbooks.connectors.options import MisconfiguredError, Options


def connect(name: str, options: Mapping[str, Any]) -> LdapConnector:
    read = Options(name, options)
    profile = PROFILES.get(read.text("profile", OPENLDAP.name))
    if profile is None:
        raise MisconfiguredError(f"The connection {name} has an unknown profile. There are: {', '.join(PROFILES)}.")
    where = address(
        read.text("url"), start_tls=read.boolean("start_tls", default=False), ca_file=read.text("ca_file", "")
    )
    session = Session(where, read.text("bind_dn"), read.secret("password"))
    layout = Layout(
        base=read.text("base"),
        login=read.text("login_attribute", profile.login),
        external_id=read.text("external_id_attribute", ""),
        group=read.text("group", ""),
        policy=read.text("policy", ""),
        canary=read.text("canary", ""),
    )
    lag, rate = read.number("lag_seconds", 0), read.number("rate_per_second", 200, least=0.1)
    read.finish()
    return LdapConnector(Directory(name, session, profile, layout), lag_seconds=lag, rate_per_second=rate)

"""A real directory that web and worker both reach: the worker is a process of its own and reads its environment."""

from pathlib import Path
from typing import Any

import pytest

from tests.connectors import slapd as server
from tests.connectors.slapd import Slapd
from tests.directory.institution import load

DOMAIN = "@parliament.example"


def reach(slapd: Slapd, connection_of: Any, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Connect both to it, and import its people."""
    connection_of(slapd, login_attribute="mail")
    (folder / "connections.json").write_text(
        f'{{"directory": {{"connector": "ldap", "url": "{slapd.url}", "bind_dn": "{server.PORTAL}", '
        f'"base": "{server.SUFFIX}", "login_attribute": "mail"}}}}'
    )
    monkeypatch.setenv("CONNECTIONS_FILE", str(folder / "connections.json"))
    load(Path(slapd.folder / "directory.ldif").read_bytes(), name="directory.ldif")

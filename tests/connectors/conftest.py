"""Every connector of the registry, ready to be tried, and a real OpenLDAP server."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from runbooks.connectors import CONNECTORS, configured
from runbooks.connectors.base import Action
from tests.connectors import slapd as server
from tests.connectors.entra import ANNA, LAG, MARA, OLAF, PEOPLE, by_group, by_policy, connector_of, serving
from tests.connectors.graph import Graph
from tests.connectors.receiver import SECRET, Receiver
from tests.connectors.scim_server import TOKEN, ScimServer, Tenant
from tests.connectors.served import served
from tests.connectors.slapd import Slapd
from tests.connectors.stages import Stage, refs, simulated
from tests.directory.institution import make_institution

left_out = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asking = [item for item in items if item.get_closest_marker("slapd")]
    if asking and not server.find_slapd():
        if os.environ.get("REQUIRE_SLAPD") == "1":
            raise pytest.UsageError(f"REQUIRE_SLAPD=1, but {server.MISSING}")
        config.stash[left_out] = len(asking)
        config.hook.pytest_deselected(items=asking)
        items[:] = [item for item in items if item not in asking]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if count := config.stash.get(left_out, 0):
        terminalreporter.write_line(f"{count} directory tests were skipped: {server.MISSING}", yellow=True)


# A real directory


@pytest.fixture(scope="session")
def institution_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of all 9,000 entries, made once and copied for every test."""
    folder = tmp_path_factory.mktemp("slapd")
    server.load(folder, make_institution(folder, accounts=9000, affected=90).ldif)
    return folder


@pytest.fixture
def stopped_slapd(institution_folder: Path, tmp_path: Path) -> Iterator[Slapd]:
    """To be started by a test that needs it set up in its own way."""
    (tmp_path / "db").mkdir()
    shutil.copy(institution_folder / "db" / "data.mdb", tmp_path / "db")
    (tmp_path / "directory.ldif").symlink_to(institution_folder / "directory.ldif")
    slapd = Slapd(tmp_path)
    yield slapd
    slapd.stop()


@pytest.fixture
def slapd(stopped_slapd: Slapd) -> Slapd:
    stopped_slapd.start()
    return stopped_slapd


@pytest.fixture
def connection_of(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Points the connection "directory" at a server, with options of the test's own."""

    def point(slapd: Slapd, **options: Any) -> None:
        monkeypatch.setenv("CONNECTION_DIRECTORY_PASSWORD", server.PASSWORD)
        usual = {"url": slapd.url, "bind_dn": server.PORTAL, "base": server.SUFFIX, "group": server.GROUP}
        settings.CONNECTIONS = {"directory": {"connector": "ldap", **usual, **options}}

    return point


@pytest.fixture
def directory(slapd: Slapd, connection_of: Any) -> Iterator[Any]:
    connection_of(slapd)
    connector = configured("directory")
    yield connector
    connector.close()


# One stage a connector


@pytest.fixture
def simulated_stage() -> Stage:
    connector, clock = simulated()
    return Stage(connector, refs("anna.berg", "olaf.stein", "mara.dell"), lambda: clock.wait(10))


@pytest.fixture
def manual_stage() -> Stage:
    return Stage(configured("people"), refs("anna.berg", "olaf.stein", "mara.dell"))


@pytest.fixture
def ldap_stage(slapd: Slapd, directory: Any) -> Stage:
    """Of the three, one is locked by failed sign-ins and one has no remote access."""
    free, failed, inside = slapd.logins()[:3]
    slapd.change(server.dn_of(failed), pwdAccountLockedTime=["20170623190000Z"])
    slapd.leave_group(inside)
    return Stage(directory, refs(free, failed, inside))


@pytest.fixture
def loopback(settings: Any) -> None:
    """This machine may be called, as a site would allow a network of its own."""
    settings.OUTBOUND_PRIVATE_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def hook_of(receiver: Receiver, loopback: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes the connection "hook" to the receiver, with options of the test's own."""
    monkeypatch.setenv("CONNECTION_HOOK_SECRET", SECRET)
    settings.PORTAL_URL = "https://portal.example"
    actions = sorted(set(Action) - {Action.READ_STATE})
    made: list[Any] = []
    with served(receiver) as url:

        def make(**options: Any) -> Any:
            usual = {"connector": "webhook", "url": f"{url}/accounts", "actions": actions, "reads": True}
            settings.CONNECTIONS = {"hook": {**usual, **options}}
            made.append(configured("hook"))
            return made[-1]

        yield make
        for connector in made:
            connector.close()


@pytest.fixture
def webhook_stage(hook_of: Any, receiver: Receiver) -> Stage:
    """Of the three, one is locked already and one has no remote access."""
    receiver.account("olaf.stein")["locked"] = ["true"]
    receiver.account("mara.dell")["remote_access"] = ["false"]
    return Stage(hook_of(), refs("anna.berg", "olaf.stein", "mara.dell"))


@pytest.fixture
def graph(loopback: None) -> Iterator[Graph]:
    """A tenant of three, all of whom have remote access."""
    with serving(*PEOPLE) as running:
        running.tenant.join(*PEOPLE)
        yield running


@pytest.fixture
def cloud(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes a connector to the tenant, with options of the test's own."""
    made: list[Any] = []

    def make(**options: Any) -> Any:
        made.append(connector_of(graph, monkeypatch, **options))
        return made[-1]

    yield make
    for connector in made:
        connector.close()


@pytest.fixture
def entra_id_stage(graph: Graph, cloud: Any) -> Stage:
    """Of the three, one is disabled already and one has no remote access."""
    graph.tenant.lag_seconds = LAG
    graph.tenant.change(OLAF, accountEnabled=False)
    graph.tenant.members.write([graph.tenant.id_of(upn) for upn in (ANNA, OLAF)], graph.tenant.clock())
    connector = cloud(**by_group(graph), lag_seconds=LAG)
    return Stage(connector, refs(ANNA, OLAF, MARA), lambda: graph.tenant.clock.wait(LAG))


@pytest.fixture
def entra_id_policy_stage(graph: Graph, cloud: Any) -> Stage:
    """Remote access by a policy that lists one of the three."""
    graph.tenant.lag_seconds = LAG
    graph.tenant.set_policy(includeUsers=[graph.tenant.id_of(MARA)])
    connector = cloud(**by_policy(graph), lag_seconds=LAG)
    return Stage(connector, refs(ANNA, OLAF, MARA), lambda: graph.tenant.clock.wait(LAG))


@pytest.fixture(scope="session")
def scim_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScimServer]:
    running = ScimServer(tmp_path_factory.mktemp("scim"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def tenant(scim_server: ScimServer) -> Tenant:
    return Tenant(scim_server, f"t{uuid4().hex[:12]}")


@pytest.fixture
def scim_of(loopback: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes the connection "idp" to an address, with options of the test's own."""
    monkeypatch.setenv("CONNECTION_IDP_TOKEN", TOKEN)
    made: list[Any] = []

    def make(url: str, **options: Any) -> Any:
        settings.CONNECTIONS = {"idp": {"connector": "scim", "url": url, **options}}
        made.append(configured("idp"))
        return made[-1]

    yield make
    for connector in made:
        connector.close()


@pytest.fixture
def scim_stage(tenant: Tenant, scim_of: Any) -> Stage:
    """Of the three, one is locked already, one has no word on it and no remote access."""
    inside = [tenant.user("anna.berg", active=True), tenant.user("olaf.stein", active=False)]
    tenant.user("mara.dell")
    return Stage(scim_of(tenant.url, group=tenant.group(*inside)), refs("anna.berg", "olaf.stein", "mara.dell"))


@pytest.fixture
def scim_put_stage(tenant: Tenant, scim_of: Any) -> Stage:
    """The same, where users and the group are written whole."""
    inside = [tenant.user("anna.berg", active=True), tenant.user("olaf.stein", active=False)]
    tenant.user("mara.dell")
    connector = scim_of(tenant.url, dialect="put", group=tenant.group(*inside))
    return Stage(connector, refs("anna.berg", "olaf.stein", "mara.dell"))


# A connector that does an action in two ways has a stage for each.
STAGES = sorted([*CONNECTORS, "entra_id_policy", "scim_put"])


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slapd if name == "ldap" else ()) for name in STAGES])
def stage(request: pytest.FixtureRequest) -> Stage:
    """One of them after the other. A new connector needs a fixture of its own, <name>_stage."""
    found = request.getfixturevalue(f"{request.param}_stage")
    assert isinstance(found, Stage)
    return found

"""A connector to a tenant of our own, and what a test asks of both."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from runbooks.connectors.base import AccountRef, ActionResult, Outcome
from runbooks.connectors.entra_id import connect
from runbooks.connectors.entra_id.connector import EntraConnector
from runbooks.connectors.entra_id.token import Clock
from tests.connectors.graph import Graph
from tests.connectors.graph_tenant import Tenant
from tests.connectors.stages import refs

PEOPLE = ("anna.berg@parliament.example", "olaf.stein@parliament.example", "mara.dell@parliament.example")
ANNA, OLAF, MARA = PEOPLE
LAG = 60.0


@contextmanager
def serving(*upns: str) -> Iterator[Graph]:
    with Graph(Tenant(*(upns or PEOPLE))).running() as graph:
        yield graph


def connector_of(graph: Graph, monkeypatch: pytest.MonkeyPatch, **options: Any) -> EntraConnector:
    """The connection "cloud", by the tenant's own clock."""
    tenant = graph.tenant
    monkeypatch.setenv("CONNECTION_CLOUD_CLIENT_SECRET", tenant.secret)
    usual = {
        "tenant": tenant.tenant_id,
        "client_id": tenant.client_id,
        "base_url": f"{graph.origin}/v1.0",
        "authority": graph.origin,
    }
    return connect("cloud", {**usual, **options}, Clock(tenant.clock, tenant.clock.wait))


def by_group(graph: Graph) -> dict[str, str]:
    return {"group": graph.tenant.group_id}


def by_policy(graph: Graph) -> dict[str, str]:
    return {"policy": graph.tenant.policy_id, "break_glass": ", ".join(graph.tenant.break_glass)}


def outcomes(results: list[ActionResult]) -> list[Outcome]:
    return [result.outcome for result in results]


def everybody(graph: Graph) -> list[AccountRef]:
    return refs(*(one.true["userPrincipalName"] for one in graph.tenant.users.values()))

"""How an identity system is acted on and read back: one line a connector."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Protocol, cast

from django.conf import settings

from runbooks.connectors.base import Connector
from runbooks.errors import DomainError, NotFoundError

CONNECTORS = {
    "entra_id": "runbooks.connectors.entra_id",
    "ldap": "runbooks.connectors.ldap",
    "manual": "runbooks.connectors.manual",
    "scim": "runbooks.connectors.scim",
    "simulated": "runbooks.connectors.simulated",
    "webhook": "runbooks.connectors.webhook",
}


class ConnectorModule(Protocol):
    """What every module named in CONNECTORS provides."""

    def connect(self, name: str, options: Mapping[str, Any]) -> Connector:
        """The connector of the connection `name`, not connected yet. Raises MisconfiguredError."""


class UnknownConnectionError(NotFoundError):
    pass


class WrongWorldError(DomainError):
    """A real system was asked for in an exercise, or a simulated one in a real incident."""


def connection_names() -> list[str]:
    return sorted(settings.CONNECTIONS)


def configured(name: str, *, world: str = "") -> Connector:
    """The connector of one entry of settings.CONNECTIONS. Raises UnknownConnectionError, MisconfiguredError.

    `world` keeps what is simulated for one exercise apart from the others.
    """
    options = dict(settings.CONNECTIONS.get(name, {}))
    kind = options.pop("connector", "")
    if name not in settings.CONNECTIONS:
        raise UnknownConnectionError(f"There is no connection {name}. There are: {', '.join(connection_names())}.")
    if kind not in CONNECTORS:
        raise UnknownConnectionError(
            f"The connection {name} names the connector {kind!r}. There are: {', '.join(sorted(CONNECTORS))}."
        )
    if kind == "simulated":
        options["world"] = world
    return cast(ConnectorModule, import_module(CONNECTORS[kind])).connect(name, options)


@contextmanager
def connection(name: str, *, exercise: bool, world: str = "") -> Iterator[Connector]:
    """A connector for an incident, closed at the end.

    An exercise gets nothing but a simulated one, and a real incident anything else: this is the one door to both.
    """
    connector = configured(name, world=world)
    if connector.capabilities.is_simulated != exercise:
        raise WrongWorldError(
            f"{name} reaches a real system or real people. An exercise takes a simulated connection."
            if exercise
            else f"{name} is simulated and would contain nobody. Choose a connection to a real system."
        )
    try:
        yield connector
    finally:
        connector.close()

"""A server that answers by the function a test gives it, and a resolver that says what a test wants."""

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runbooks.outbound import addresses
from tests.outbound.serving import Server


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def loopback(settings: Any) -> None:
    settings.OUTBOUND_PRIVATE_NETWORKS = ["127.0.0.0/8", "::1/128"]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Answers names from lists of addresses, one list a question; the last stays."""

    def answers(*rounds: list[str]) -> list[str]:
        asked: list[str] = []

        def resolve(host: str, port: int) -> list[addresses.IPAddress]:
            asked.append(host)
            return [ipaddress.ip_address(text) for text in rounds[min(len(asked), len(rounds)) - 1]]

        monkeypatch.setattr(addresses, "found", resolve)
        return asked

    return answers

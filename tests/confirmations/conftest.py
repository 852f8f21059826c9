"""A text gateway on this machine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_django import Settings

from ir_portal.environment import GATEWAY
from tests.connectors.served import Asked, Said, served


@dataclass
class Texts:
    """What the gateway was asked to send. `answer` may be changed."""

    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Said] = lambda _: Said(202, {})

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [asked.content for asked in self.asked]

    def take(self, asked: Asked) -> Said:
        self.asked.append(asked)
        return self.answer(asked)


@pytest.fixture
def texts(settings: Settings) -> Iterator[Texts]:
    settings.OUTBOUND_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    made = Texts()
    with served(made.take) as address:
        settings.TEXT_GATEWAY = {
            **GATEWAY, "url": f"{address}/messages", "body": {"to": "{number}", "text": "{text}", "key": "{key}"},
            "token": "t",
        }  # fmt: skip
        yield made

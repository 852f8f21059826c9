"""A connector ready to be tried, whatever its kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from runbooks.connectors.base import AccountRef, Connector
from runbooks.connectors.simulated import Simulated, Weather


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2017, 6, 23, 20, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def nothing() -> None:
    """What has no lag needs no waiting."""


@dataclass(frozen=True)
class Stage:
    connector: Connector
    accounts: list[AccountRef]
    settle: Callable[[], None] = field(default=nothing)
    """Let the lag pass."""


def refs(*logins: str) -> list[AccountRef]:
    return [AccountRef(login) for login in logins]


CALM: Mapping[str, Any] = {"throttled": 0, "busy": 0, "slipping": 0, "refused": 0}


def simulated(seed: str = "2017", **weather: float) -> tuple[Simulated, Clock]:
    clock = Clock()
    return Simulated("exercise", seed, Weather(**{**CALM, **weather}), clock), clock

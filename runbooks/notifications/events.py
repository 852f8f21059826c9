"""What the portal knows of each event it announces: how much it matters, how long, and who is called while it waits."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

SHIPPED: Final = Path(__file__).with_name("events.toml")
USUAL_HOURS: Final = 72


@dataclass(frozen=True, slots=True)
class Chain:
    """Who is called while nobody answers: steps of whom and minutes to wait before, gone through again so often."""

    severity_at_most: int
    repeats: int
    steps: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of notice. `sample` fills its text for a preview; every word the text may use stands in it.

    `one_chain`: while one of its chains runs in an incident, no second one is begun there. What is not `is_editable`
    warns of what administrators themselves might do, and is said as shipped.
    """

    name: str
    says: str
    is_important: bool
    lifetime: timedelta
    bundled_for: timedelta
    ignores_quiet_hours: bool
    sample: Mapping[str, Any] = field(default_factory=dict)
    chain: Chain | None = None
    one_chain: bool = False
    is_editable: bool = True


@cache
def events() -> Mapping[str, Event]:
    """Every event, by name. The file is part of the portal: a fault in it is one of the release and stops the start."""
    with SHIPPED.open("rb") as file:
        read = tomllib.load(file)
    return {name: _event(name, told) for name, told in read.items()}


def _event(name: str, told: Mapping[str, Any]) -> Event:
    chain = told.get("chain")
    return Event(
        name=name,
        says=told["says"],
        is_important=told.get("important", False),
        lifetime=timedelta(hours=told.get("hours", USUAL_HOURS)),
        bundled_for=timedelta(seconds=told.get("bundle_seconds", 0)),
        ignores_quiet_hours=told.get("ignores_quiet_hours", False),
        sample=told.get("sample", {}),
        chain=Chain(**chain) if chain else None,
        one_chain=told.get("one_chain", False),
        is_editable=told.get("editable", True),
    )

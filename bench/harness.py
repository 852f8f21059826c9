"""What every bench stands on: engines of its own, rounds that alternate, and a last line that a script can read.

A bench is `bench/<name>.py [--quick]`. It brings up what it needs in a folder that is gone afterwards, ends by itself,
and prints as its last line `<name>: ratio R target <= T ok` (or `>=`, `short`); its exit status is 0 or 1. Several
ratios are several such lines, and the last repeats the one that fares worst.
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command
from django.db import connection
from ground import FOLDER

from ir_portal.embedded import engines

ROUNDS = 5


def is_quick(description: str | None) -> bool:
    """Whether the command line asks for the short form: under a minute, on less data."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="less data, under a minute")
    quick: bool = parser.parse_args().quick
    return quick


@contextmanager
def portal() -> Iterator[Path]:
    """Empty engines, migrated, inside the block; yields the data folder."""
    with engines():
        call_command("migrate", verbosity=0)
        try:
            yield FOLDER
        finally:
            connection.close()
            connection.close_pool()


@dataclass(frozen=True, slots=True)
class Side:
    """One of the things compared. `prepare` comes before every round, outside the clock; its result goes to `run`."""

    run: Callable[..., object]
    prepare: Callable[[], object] = lambda: None


def alternate(sides: Mapping[str, Side], *, rounds: int = ROUNDS) -> dict[str, float]:
    """Median seconds of each side. They take turns, after one round each that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            prepared = side.prepare()
            gc.collect()
            began = time.perf_counter()
            side.run(prepared)
            seconds = time.perf_counter() - began
            if number:
                taken[name].append(seconds)
    medians = {name: statistics.median(each) for name, each in taken.items()}
    for name, each in taken.items():
        print(f"{name}: median {medians[name]:.3f} s of {rounds} rounds ({min(each):.3f} to {max(each):.3f})")
    return medians


@dataclass(frozen=True, slots=True)
class Claim:
    """A ratio and what it must be: at most the target, or at least."""

    name: str
    ratio: float
    target: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target

    @property
    def room(self) -> float:
        """How far the ratio is on the right side of the target; under 1 is short."""
        if self.at_least:
            return self.ratio / self.target
        return self.target / self.ratio if self.ratio else float("inf")

    def line(self, name: str) -> str:
        sign = ">=" if self.at_least else "<="
        return f"{name}: ratio {self.ratio:.2f} target {sign} {self.target:g} {'ok' if self.holds else 'short'}"


def conclude(bench: str, claims: list[Claim]) -> int:
    """Print the claims and the last line; the exit status."""
    if len(claims) > 1:
        for claim in claims:
            print(claim.line(claim.name))
    print(min(claims, key=lambda claim: claim.room).line(bench))
    return 0 if all(claim.holds for claim in claims) else 1

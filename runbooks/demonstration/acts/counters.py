"""What machines wrote: the gateway's counts a quarter of an hour, and its rules. Runs of them are shown as one line."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from runbooks.demonstration.acts.first_hours import SOURCES
from runbooks.demonstration.stage import Cue, Play, Stage
from runbooks.demonstration.waves import clock
from runbooks.presentation import plural
from runbooks.room.operations.entries import EntryText, add_entry
from runbooks.timeline.models import Lane

QUARTER = timedelta(minutes=15)
# When the counter reports, and about how many quarters of an hour before.
REPORTS = (
    ("0:12", 12),
    ("1:02", 3),
    ("2:01", 4),
    ("3:01", 4),
    ("4:01", 4),
    ("6:01", 8),
    ("8:01", 8),
    ("10:01", 8),
    ("13:01", 12),
    ("17:01", 16),
    ("21:01", 16),
    ("23:01", 8),
    ("25:01", 8),
    ("26:16", 5),
)
RULES_AT = "1:57"
BLOCKED_FROM = timedelta(hours=2)


def cues(chance: random.Random) -> Iterator[Cue]:
    for when, quarters in REPORTS:
        counts = [_count(clock(when) - number * QUARTER, chance) for number in range(quarters, 0, -1)]
        yield Cue(clock(when), _report(counts))
    yield Cue(clock(RULES_AT), _rules)


def _count(begin: timedelta, chance: random.Random) -> tuple[timedelta, int, int]:
    """When a quarter of an hour begins, failed sign-ins in it, and from how many addresses."""
    if begin < BLOCKED_FROM:
        wave = 4 + 5 * (int(begin.total_seconds() // 3600) % 2)
        return begin, wave * chance.randrange(420, 560), chance.randrange(90, 180)
    return begin, chance.randrange(70, 190), chance.randrange(3, 14)


def _report(counts: list[tuple[timedelta, int, int]]) -> Play:
    def play(stage: Stage, at: datetime) -> None:
        for number, (begin, failed, addresses) in enumerate(counts):
            sources = plural(addresses, "address", "addresses")
            text = EntryText(
                summary=f"{failed:,} failed sign-ins in a quarter of an hour, from {sources}",
                lane=Lane.DETECTION,
                occurred_at=stage.moment(begin + QUARTER),
            )
            moment = at + timedelta(milliseconds=100 * number)
            add_entry(incident_id=stage.incident_id, text=text, actor=stage.actors["gateway"], at=moment)

    return play


def _rules(stage: Stage, at: datetime) -> None:
    step_id = stage.step_id("block-sources")
    for number, source in enumerate(SOURCES, start=1):
        text = EntryText(f"Rule gw-{number:03d} refuses {source} for 14 days", Lane.ACTION, step_id=step_id)
        moment = at + timedelta(milliseconds=100 * number)
        add_entry(incident_id=stage.incident_id, text=text, actor=stage.actors["firewall"], at=moment)

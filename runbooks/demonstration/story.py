"""The exercise as a whole: an attack on the passwords of a parliament, from its declaration to 26 h 35 min later.

Everything goes through the operations, in order of time, so every guard holds and every entry is sealed. The story ends
now: what it calls 0:00 was 26 h 35 min ago. The same seed gives the same entries at the same offsets.
"""

import random
from collections.abc import Iterable
from datetime import datetime, timedelta

from runbooks.access.models import User
from runbooks.access.permissions import Actor
from runbooks.demonstration.acts import (
    acting,
    calling,
    confirming,
    containing,
    counters,
    first_hours,
    holders,
    later_hours,
    lists,
    restoring,
    room,
    words,
)
from runbooks.demonstration.cast import Cast, make_cast
from runbooks.demonstration.institution import Institution
from runbooks.demonstration.people import make_actors
from runbooks.demonstration.stage import Cue, Stage
from runbooks.demonstration.waves import clock
from runbooks.incidents.models import Incident
from runbooks.room.operations.declare import Declaration, declare

TITLE = "Password-guessing attack on parliamentary email"
CODENAME = "Kittiwake"
LENGTH = clock("26:35")
NOTICED = clock("-0:16")


def play_story(*, institution: Institution, users: dict[str, User], seed: int, now: datetime) -> Incident:
    """Play all of it into an empty portal whose directory holds the institution."""
    actors, start = make_actors(users), now - LENGTH
    incident = declare(declaration=_declaration(users["duty"], start), actor=actors["duty"], at=start)
    stage = _stage(incident, start, users, actors, institution, seed)
    for cue, at in timed(cues(stage.cast, institution, seed), start, seed):
        cue.play(stage, at)
    incident.refresh_from_db()
    return incident


def _declaration(lead: User, start: datetime) -> Declaration:
    return Declaration(
        runbook_slug="compromised-accounts",
        title=TITLE,
        severity=Incident.Severity.HIGH,
        detected_at=start + NOTICED,
        detected_by="Gateway alarm, failed sign-ins",
        lead_id=lead.pk,
        codename=CODENAME,
        is_exercise=True,
    )


def _stage(
    incident: Incident,
    start: datetime,
    users: dict[str, User],
    actors: dict[str, Actor],
    institution: Institution,
    seed: int,
) -> Stage:
    return Stage(incident.pk, start, users, actors, institution, make_cast(institution, seed=seed))


def cues(cast: Cast, institution: Institution, seed: int) -> list[Cue]:
    """Everything that happens after the declaration, in no order."""
    chance = random.Random(f"story {seed}")
    return [
        *room.cues(),
        *first_hours.cues(),
        *later_hours.cues(),
        *lists.cues(cast, institution, chance),
        *containing.cues(cast),
        *acting.cues(cast),
        *holders.cues(cast, chance),
        *confirming.cues(cast),
        *calling.cues(cast),
        *restoring.cues(cast),
        *words.cues(),
        *counters.cues(chance),
    ]


def timed(found: Iterable[Cue], start: datetime, seed: int) -> list[tuple[Cue, datetime]]:
    """The cues in order, each at its moment and some seconds, and none before the one ahead of it has had its time."""
    chance = random.Random(f"seconds {seed}")
    placed: list[tuple[Cue, datetime]] = []
    last = start
    for cue in sorted(found, key=lambda cue: cue.offset):
        at = max(start + cue.offset + timedelta(seconds=chance.randrange(35)), last + timedelta(seconds=2))
        placed.append((cue, at))
        last = at
    return placed

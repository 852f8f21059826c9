"""Figures as they stood: counted anew from the entries up to one of them, and what moved them.

What the overview shows is a function of the incident's newest entry, so a past figure is the same function of an older
one. The entries are sealed; the rows they tell of are counted beside them, as a second witness. Where the content of an
entry was taken out, its part comes from the row of the same moment, and is said to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

from runbooks.affected_accounts.models import State
from runbooks.affected_accounts.queries import GroupCounts, grouped
from runbooks.affected_accounts.transitions import COMPROMISED_STATES, GROUPS, Group, level
from runbooks.incidents.models import Incident

PAGE: Final = 50
# What adds an account to the list, or may move it from one state to another.
MOVING: Final = ("account.added", "account.state_changed", "account.tier_set")
# {figure: (what it is called, the states that count)}
FIGURES: Final[Mapping[str, tuple[str, tuple[State, ...]]]] = {
    "total": ("Accounts on the list", tuple(State)),
    "compromised": ("Compromised", COMPROMISED_STATES),
    "contained": ("Contained or further", tuple(state for state in State if level(state) > 1)),
    "reset": ("Reset confirmed or further", tuple(state for state in State if level(state) > 2)),
    "restored": ("Restored", tuple(state for state in State if level(state) > 3)),
    "confirmed": ("Confirmed, not contained", tuple(state for state in State if level(state) == 1)),
    "suspected": ("Suspected", tuple(state for state in State if GROUPS[state] == Group.SUSPECTED)),
    "cleared": ("Not affected", tuple(state for state in State if GROUPS[state] == Group.CLEARED)),
}

# Whoever saw the incident at a moment saw all entries before the first one that was recorded later: entries of one
# incident are written one after the other.
LAST: Final = """
SELECT coalesce(
    (SELECT min(sequence) - 1 FROM runbooks_timelineevent WHERE incident_id = %s AND recorded_at > %s), %s
)
"""
MOVES: Final = """
SELECT event.sequence, coalesce(event.burst, event.sequence) AS run, event.account_ids[1] AS account,
    event.salt IS NULL AS is_taken_out,
    CASE WHEN event.salt IS NULL THEN change.before ELSE coalesce(event.details ->> 'before', '') END AS before,
    CASE WHEN event.salt IS NULL THEN change.after ELSE coalesce(event.details ->> 'after', event.details ->> 'state')
        END AS after
FROM runbooks_timelineevent event
LEFT JOIN runbooks_statechange change ON event.salt IS NULL
    AND change.affected_account_id = event.account_ids[1] AND change.at = event.recorded_at
WHERE event.incident_id = %s AND event.sequence <= %s AND event.kind = ANY(%s) AND cardinality(event.account_ids) = 1
"""
STATES: Final = """
WITH newest AS (
    SELECT DISTINCT ON (account) after, is_taken_out FROM ({moves}) AS move
    WHERE after IS NOT NULL ORDER BY account, sequence DESC
)
SELECT after, count(*), count(*) FILTER (WHERE is_taken_out) FROM newest GROUP BY after
"""
ROWS: Final = """
SELECT after, count(*) FROM (
    SELECT DISTINCT ON (affected_account_id) after FROM runbooks_statechange
    WHERE incident_id = %s AND at <= %s ORDER BY affected_account_id, at DESC, id DESC
) AS newest GROUP BY after
"""
# With the newest entry, all of one moment: somebody may have worked meanwhile.
PRESENT: Final = """
SELECT incident.head_sequence, account.state, count(account.id) FROM runbooks_incident incident
LEFT JOIN runbooks_affectedaccount account ON account.incident_id = incident.id
WHERE incident.id = %s GROUP BY incident.head_sequence, account.state
"""
# Steps of the runbook were there from the beginning; one that was added, since its entry.
OTHERS: Final = """
WITH steps AS (
    SELECT step.id, newest.kind FROM runbooks_step step
    LEFT JOIN LATERAL (
        SELECT kind FROM runbooks_timelineevent
        WHERE step_id = step.id AND sequence <= %(last)s AND kind IN ('step.completed', 'step.waived', 'step.reopened')
        ORDER BY sequence DESC LIMIT 1
    ) AS newest ON true
    WHERE step.incident_id = %(incident)s AND (NOT step.is_added OR EXISTS (
        SELECT FROM runbooks_timelineevent WHERE step_id = step.id AND sequence <= %(last)s AND kind = 'step.added'
    ))
),
access AS (
    SELECT DISTINCT ON (event.details ->> 'account') action.kind = 'restrict_remote_access' AS is_restricted
    FROM runbooks_timelineevent event
    JOIN runbooks_action action ON action.incident_id = event.incident_id
        AND action.number = (event.details ->> 'action')::int
    WHERE event.incident_id = %(incident)s AND event.sequence <= %(last)s AND event.kind = 'action.account_changed'
        AND event.details ->> 'account' IS NOT NULL
        AND action.kind IN ('restrict_remote_access', 'restore_remote_access')
    ORDER BY event.details ->> 'account', action.started_at DESC, action.number DESC
)
SELECT (SELECT count(*) FROM steps), (SELECT count(*) FROM steps WHERE kind <> 'step.reopened'),
    (SELECT count(*) FROM access WHERE is_restricted), event.recorded_at, event.hash
FROM (VALUES (0)) AS nothing LEFT JOIN runbooks_timelineevent event
    ON event.incident_id = %(incident)s AND event.sequence = %(last)s
"""
MOVED: Final = """
WITH runs AS (
    SELECT run, min(sequence) AS first, max(sequence) AS last,
        count(*) FILTER (WHERE after = ANY(%s) AND NOT before = ANY(%s)) AS came,
        count(*) FILTER (WHERE before = ANY(%s) AND NOT after = ANY(%s)) AS went
    FROM ({moves}) AS move WHERE after IS NOT NULL GROUP BY run
),
stood AS (
    SELECT *, sum(came - went) OVER (ORDER BY run)::bigint AS stood FROM runs WHERE came + went > 0
)
SELECT stood.run, stood.last, stood.came, stood.went, stood.stood, event.recorded_at, event.actor, event.summary,
    event.salt IS NULL
FROM stood JOIN runbooks_timelineevent event ON event.incident_id = %s AND event.sequence = stood.run
WHERE stood.run < %s ORDER BY stood.run DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Past:
    """The figures of an incident when `sequence` was its newest entry.

    `restricted` counts accounts by what was answered, not by what was read back.
    `rows` are the accounts by state as the rows say it, where a moment was asked for and not an entry: None else.
    `taken_out` accounts have their state from a row, because the content of their entry was redacted.
    """

    sequence: int
    hash: str
    recorded_at: datetime | None
    states: Mapping[State, int]
    rows: Mapping[State, int] | None
    taken_out: int
    steps: int
    steps_closed: int
    restricted: int

    @property
    def groups(self) -> GroupCounts:
        return grouped(self.states)

    @property
    def contained(self) -> int:
        """As banners count: contained, or further on the way."""
        return self.groups.compromised - self.groups.confirmed

    @property
    def agrees(self) -> bool:
        return self.rows is None or dict(self.rows) == dict(self.states)

    def figure(self, name: str) -> int:
        return sum(self.states.get(state, 0) for state in FIGURES[name][1])


class Move(NamedTuple):
    """Entries of one go that changed a figure: by how much, and how it stood afterwards."""

    first: int
    last: int
    came: int
    went: int
    stood: int
    recorded_at: datetime
    actor: str
    summary: str
    is_taken_out: bool


def last_at(incident: Incident, at: datetime) -> int:
    """The number of the newest entry that somebody could see at the moment; 0 before the first one. One query."""
    with connection.cursor() as cursor:
        cursor.execute(LAST, [incident.pk, at, incident.head_sequence])
        return int(cursor.fetchone()[0])


def past_of(incident: Incident, sequence: int, *, at: datetime | None = None) -> Past:
    """The figures when that entry was the newest. Two queries; one more where `at`, or the present, has rows beside."""
    with connection.cursor() as cursor:
        cursor.execute(STATES.format(moves=MOVES), [incident.pk, sequence, list(MOVING)])
        found = cursor.fetchall()
        cursor.execute(OTHERS, {"incident": incident.pk, "last": sequence})
        steps, closed, restricted, recorded_at, digest = cursor.fetchone()
    return Past(
        sequence=sequence,
        hash=digest or "",
        recorded_at=recorded_at,
        states={State(state): accounts for state, accounts, _ in found},
        rows=_rows(incident, sequence, at),
        taken_out=sum(taken_out for _, _, taken_out in found),
        steps=steps,
        steps_closed=closed,
        restricted=restricted,
    )


def _rows(incident: Incident, sequence: int, at: datetime | None) -> Mapping[State, int] | None:
    """By the accounts themselves while the entry is the newest, before that by the history of their states."""
    with connection.cursor() as cursor:
        if sequence == incident.head_sequence:
            cursor.execute(PRESENT, [incident.pk])
            found = cursor.fetchall()
            if found[0][0] == sequence:
                return {State(state): accounts for _, state, accounts in found if state is not None}
        if at is None:
            return None
        cursor.execute(ROWS, [incident.pk, at])
        return {State(state): accounts for state, accounts in cursor.fetchall()}


def moves_of(incident_id: UUID, sequence: int, figure: str, *, before: int | None = None) -> list[Move]:
    """What moved a figure up to that entry, the newest first, one more than a page. One query."""
    counted = list(FIGURES[figure][1])
    values: Sequence[Any] = [counted] * 4
    with connection.cursor() as cursor:
        cursor.execute(
            MOVED.format(moves=MOVES),
            [*values, incident_id, sequence, list(MOVING), incident_id, before or sequence + 1, PAGE + 1],
        )
        return [Move._make(row) for row in cursor.fetchall()]

"""Whom the desk calls next, and why.

In SQL because the order hangs on the newest answer, the newest call and the newest time a holder was reached of every
account, and because the row that is taken is locked in the same statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Final
from uuid import UUID

from django.db import connection

from runbooks.affected_accounts.models import State
from runbooks.confirmations.queries.planning import KINDS_WITHOUT_HOLDER, WITHOUT

# After a call that reached nobody, others come first for a while.
REST: Final = timedelta(minutes=15)
PAGE: Final = 50
STILL_TO_REACH: Final = (
    State.COMPROMISED,
    State.CONTAINED,
    State.HOLDER_REACHED,
    State.UNREACHABLE,
    State.ESCALATED,
)


class Urgency(IntEnum):
    """Why somebody is called, most urgent first."""

    NOT_ME = 0
    DIFFERS = 1
    CALL_BACK = 2
    NEVER_REACHED = 3


COLUMNS: Final = """
SELECT account.id, why.urgency, place.tier, account.contact_attempts, place.tried, account.tier, account.login,
    coalesce(nullif(person.display_name, ''), account.display_name), person.office,
    coalesce(nullif(person.department, ''), account.department), person.mobile, person.telephone,
    person.contact_changed_at, account.last_contact_at, account.last_contact_outcome, last.call_back_at, last.outcome,
    holding.name, held.taken_at
"""
ROWS: Final = """
FROM runbooks_affectedaccount account
JOIN runbooks_account person ON person.id = account.account_id
LEFT JOIN LATERAL (
    SELECT answer, truth, answered_at, checked_at FROM runbooks_confirmation
    WHERE affected_account_id = account.id ORDER BY id DESC LIMIT 1
) said ON TRUE
LEFT JOIN LATERAL (
    SELECT outcome, ended_at, call_back_at, taken_by_id FROM runbooks_deskcall
    WHERE affected_account_id = account.id AND ended_at IS NOT NULL ORDER BY ended_at DESC, id DESC LIMIT 1
) last ON TRUE
LEFT JOIN runbooks_deskcall held
    ON held.affected_account_id = account.id AND held.ended_at IS NULL AND held.held_until > %(at)s
LEFT JOIN runbooks_user holding ON holding.id = held.taken_by_id
CROSS JOIN LATERAL (
    SELECT max(at) AS at FROM runbooks_contactattempt
    WHERE affected_account_id = account.id AND outcome = 'reached'
) reached
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN said.answer = 'not_me' AND coalesce(reached.at <= said.answered_at, TRUE) THEN 0
        WHEN said.truth = 'differs' AND coalesce(reached.at <= coalesce(said.checked_at, said.answered_at), TRUE) THEN 1
        WHEN last.outcome = 'call_back' AND coalesce(reached.at <= last.ended_at, TRUE) THEN 2
        WHEN account.holder_reached_at IS NULL AND account.state = ANY(%(to_reach)s)
            AND NOT person.kind = ANY(%(nobodys)s) AND last.outcome IS DISTINCT FROM 'refused' THEN 3
    END AS urgency
) why
CROSS JOIN LATERAL (
    SELECT CASE account.tier WHEN '' THEN 9 ELSE ascii(account.tier) - 64 END AS tier,
        coalesce(floor(extract(epoch FROM account.last_contact_at)), 0)::bigint AS tried
) place
WHERE account.incident_id = %(incident)s AND NOT account.state = ANY(%(without)s) AND why.urgency IS NOT NULL
"""
# Nobody has the row, its time has come, and it was not put down just now.
READY: Final = """
AND held.id IS NULL
AND (last.outcome IS DISTINCT FROM 'call_back' OR last.call_back_at <= %(at)s)
AND (last.outcome IS NULL OR NOT (last.outcome IN ('no_answer', 'not_verified') AND last.ended_at > %(rested)s))
AND (last.outcome IS NULL OR NOT (
    last.outcome = 'put_back' AND last.ended_at > %(rested)s AND last.taken_by_id = %(user)s))
"""
AFTER: Final = """
AND (why.urgency, place.tier, account.contact_attempts, place.tried, account.id)
    > (%(after_0)s, %(after_1)s, %(after_2)s, %(after_3)s, %(after_4)s)
"""
ORDER: Final = "ORDER BY why.urgency, place.tier, account.contact_attempts, place.tried, account.id"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A holder to be called. `place` is (urgency, tier, attempts, second of the last, account): the order of the queue.

    `call_back_at` and `last_outcome` are of the newest call of the desk, `held_by` of the one that goes on now.
    """

    affected_id: int
    urgency: Urgency
    place: tuple[int, int, int, int, int]
    tier: str
    login: str
    name: str
    office: str
    department: str
    mobile: str
    telephone: str
    contact_changed_at: datetime | None
    last_contact_at: datetime | None
    last_contact_outcome: str
    call_back_at: datetime | None
    last_outcome: str
    held_by: str
    held_since: datetime | None

    @property
    def attempts(self) -> int:
        return self.place[2]


def queue(incident_id: UUID, at: datetime, *, after: tuple[int, ...] | None = None, limit: int = PAGE) -> list[Waiting]:
    """Who is to be called, also those whom somebody calls now or whose time has not come. One query."""
    sql = " ".join((COLUMNS, ROWS, AFTER if after else "", ORDER, "LIMIT %(limit)s"))
    bound = {f"after_{number}": value for number, value in enumerate(after or ())}
    with connection.cursor() as cursor:
        cursor.execute(sql, _parameters(incident_id, at) | bound | {"limit": limit})
        return [_waiting(row) for row in cursor.fetchall()]


def next_of(incident_id: UUID, at: datetime, user_id: int) -> int | None:
    """The account this person calls next, its row locked; one that somebody else has locked is passed over."""
    sql = " ".join(("SELECT account.id", ROWS, READY, ORDER, "LIMIT 1 FOR UPDATE OF account SKIP LOCKED"))
    with connection.cursor() as cursor:
        cursor.execute(sql, _parameters(incident_id, at) | {"user": user_id})
        row = cursor.fetchone()
    return int(row[0]) if row else None


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many are to be called, by why; how many of all could be called at once."""

    by_urgency: Mapping[Urgency, int]
    ready: int

    @property
    def total(self) -> int:
        return sum(self.by_urgency.values())


def queue_counts(incident_id: UUID, at: datetime, user_id: int) -> QueueCounts:
    """One query."""
    ready = READY.strip().removeprefix("AND")
    sql = f"SELECT why.urgency, count(*), count(*) FILTER (WHERE {ready}) {ROWS} GROUP BY why.urgency"
    with connection.cursor() as cursor:
        cursor.execute(sql, _parameters(incident_id, at) | {"user": user_id})
        rows = cursor.fetchall()
    return QueueCounts({Urgency(urgency): count for urgency, count, _ in rows}, sum(row[2] for row in rows))


def _parameters(incident_id: UUID, at: datetime) -> dict[str, Any]:
    return {
        "incident": incident_id,
        "at": at,
        "rested": at - REST,
        "without": [str(state) for state in WITHOUT],
        "to_reach": [str(state) for state in STILL_TO_REACH],
        "nobodys": [str(kind) for kind in KINDS_WITHOUT_HOLDER],
    }


def _waiting(row: tuple[Any, ...]) -> Waiting:
    pk, urgency, tier, attempts, tried = row[:5]
    letter, login, name, office, department, mobile, telephone, changed, last_at, last_said = row[5:15]
    call_back_at, outcome, held_by, held_since = row[15:]
    return Waiting(
        affected_id=pk,
        urgency=Urgency(urgency),
        place=(urgency, tier, attempts, tried, pk),
        tier=letter,
        login=login,
        name=name,
        office=office,
        department=department,
        mobile=mobile,
        telephone=telephone,
        contact_changed_at=changed,
        last_contact_at=last_at,
        last_contact_outcome=last_said,
        call_back_at=call_back_at,
        last_outcome=outcome or "",
        held_by=held_by or "",
        held_since=held_since,
    )

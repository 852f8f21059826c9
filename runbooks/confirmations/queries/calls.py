"""Whom the desk calls next, and why.

In SQL because the order hangs on the newest answer, the newest call and the newest time a holder was reached of every
account, and because the row that is taken is locked in the same statement.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import IntEnum
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Case, Q, When

from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.confirmations.models import Confirmation
from runbooks.confirmations.queries.planning import KINDS_WITHOUT_HOLDER, WITHOUT

# After a call that reached nobody, others come first for a while.
REST: Final = timedelta(minutes=15)
# A holder who changes the password is given this long to say so before the desk asks.
UNHEARD: Final = timedelta(minutes=15)
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
    UNCLAIMED = 3
    NEVER_REACHED = 4


COLUMNS: Final = """
SELECT account.id, why.urgency, place.tier, place.outside, account.contact_attempts, place.tried, account.tier,
    account.login,
    coalesce(nullif(person.display_name, ''), account.display_name), person.office,
    coalesce(nullif(person.department, ''), account.department), person.mobile, person.telephone,
    person.contact_changed_at, account.last_contact_at, account.last_contact_outcome, last.call_back_at, last.outcome,
    holding.name, held.taken_at, account.call_from, account.call_until, account.password_changed_at
"""
ROWS: Final = """
FROM runbooks_affectedaccount account
JOIN runbooks_incident incident ON incident.id = account.incident_id
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
        WHEN NOT account.state = ANY(%(to_reach)s) OR person.kind = ANY(%(nobodys)s) THEN NULL
        WHEN account.holder_confirmed_at IS NULL AND account.password_changed_at <= %(unheard)s
            -- Until it is contained, a new password is the work of ours.
            AND account.password_changed_at >= account.contained_at
            AND coalesce(reached.at <= account.password_changed_at, TRUE)
            AND (last.outcome IS DISTINCT FROM 'refused' OR last.ended_at <= account.password_changed_at)
            AND NOT EXISTS (
                SELECT FROM runbooks_confirmation
                WHERE affected_account_id = account.id AND answer = ANY(%(claims)s) AND truth IN ('pending', 'agrees')
            ) THEN 3
        WHEN account.holder_reached_at IS NULL AND last.outcome IS DISTINCT FROM 'refused' THEN 4
    END AS urgency
) why
CROSS JOIN LATERAL (SELECT (%(at)s AT TIME ZONE incident.time_zone)::time AS shows) clock
CROSS JOIN LATERAL (
    SELECT CASE account.tier WHEN '' THEN 9 ELSE ascii(account.tier) - 64 END AS tier,
        CASE
            -- Somebody may be in the account now; or they named that moment themselves.
            WHEN account.call_from IS NULL OR why.urgency IN (0, 2) THEN 0
            WHEN account.call_from < account.call_until
                THEN (clock.shows < account.call_from OR clock.shows >= account.call_until)::int
            ELSE (clock.shows < account.call_from AND clock.shows >= account.call_until)::int
        END AS outside,
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
AND (why.urgency, place.tier, place.outside, account.contact_attempts, place.tried, account.id)
    > (%(after_0)s, %(after_1)s, %(after_2)s, %(after_3)s, %(after_4)s, %(after_5)s)
"""
PLACE_PARTS: Final = 6
ORDER: Final = "ORDER BY why.urgency, place.tier, place.outside, account.contact_attempts, place.tried, account.id"
# Who is outside their hours is called only when nobody else is ready.
NEXT: Final = "ORDER BY place.outside, why.urgency, place.tier, account.contact_attempts, place.tried, account.id"
OF_TIER: Final = "(%(tier)s = '' OR account.tier = %(tier)s)"
OF_OFFICE: Final = """(
    (%(office)s = '' OR person.office = CASE %(office)s WHEN '-' THEN '' ELSE %(office)s END)
    AND starts_with(lower(person.office), lower(%(begins)s))
)"""
WITHIN: Final = f"AND {OF_TIER} AND {OF_OFFICE}"


@dataclass(frozen=True, slots=True)
class Within:
    """A part of the queue. Empty is no limit.

    `office` is one as on file, or NO_OFFICE for who has none; `begins` how the names of offices begin.
    """

    tier: str = ""
    office: str = ""
    begins: str = ""

    def __bool__(self) -> bool:
        return bool(self.tier or self.office or self.begins)


NO_OFFICE: Final = "-"
EVERYBODY: Final = Within()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A holder to be called.

    `place` is (urgency, tier, outside their hours, attempts, second of the last, account): the order of the queue.
    `call_back_at` and `last_outcome` are of the newest call of the desk, `held_by` of the one that goes on now.
    """

    affected_id: int
    urgency: Urgency
    place: tuple[int, int, int, int, int, int]
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
    call_from: time | None
    call_until: time | None
    password_changed_at: datetime | None

    @property
    def is_outside_hours(self) -> bool:
        return bool(self.place[2])

    @property
    def attempts(self) -> int:
        return self.place[3]


def queue(
    incident_id: UUID,
    at: datetime,
    *,
    within: Within = EVERYBODY,
    after: tuple[int, ...] | None = None,
    limit: int = PAGE,
) -> list[Waiting]:
    """Who is to be called, also those whom somebody calls now or whose time has not come. One query."""
    sql = " ".join((COLUMNS, ROWS, WITHIN, AFTER if after else "", ORDER, "LIMIT %(limit)s"))
    bound = {f"after_{number}": value for number, value in enumerate(after or ())}
    return _found(sql, _parameters(incident_id, at, within) | bound | {"limit": limit})


def waiting_of(incident_id: UUID, affected_ids: Collection[int], at: datetime) -> list[Waiting]:
    """Those of these accounts whose holders are to be called, in the order of the queue. One query."""
    sql = " ".join((COLUMNS, ROWS, "AND account.id = ANY(%(accounts)s)", ORDER))
    return _found(sql, _parameters(incident_id, at) | {"accounts": list(affected_ids)})


def next_of(incident_id: UUID, at: datetime, user_id: int, within: Within = EVERYBODY) -> int | None:
    """The account this person calls next, its row locked; one that somebody else has locked is passed over."""
    sql = " ".join(("SELECT account.id", ROWS, READY, WITHIN, NEXT, "LIMIT 1 FOR UPDATE OF account SKIP LOCKED"))
    with connection.cursor() as cursor:
        cursor.execute(sql, _parameters(incident_id, at, within) | {"user": user_id})
        row = cursor.fetchone()
    return int(row[0]) if row else None


@dataclass(frozen=True, slots=True)
class Ringing:
    """An account of the incident whose holder may be on the line. `urgency` is not asked: whoever rings is heard."""

    affected_id: int
    login: str
    name: str
    office: str
    tier: str


def ringing(incident_id: UUID, text: str, limit: int) -> list[Ringing]:
    """Accounts whose name, or whose holder's, has this text in it; whose name begins with it first. One query."""
    found = (
        AffectedAccount.objects.filter(incident_id=incident_id)
        .filter(Q(login__icontains=text) | Q(display_name__icontains=text) | Q(account__display_name__icontains=text))
        .order_by(Case(When(login__istartswith=text, then=0), default=1), "login", "pk")
        .values_list("pk", "login", "display_name", "account__office", "tier")
    )
    return [Ringing(*row) for row in found[:limit]]


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many are to be called, by why; how many of all could be called at once.

    `by_tier` counts within the office that was asked for, `by_office` (most first) within the tier: what the next
    choice would give.
    """

    by_urgency: Mapping[Urgency, int]
    ready: int
    by_tier: Mapping[str, int]
    by_office: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_urgency.values())


def queue_counts(incident_id: UUID, at: datetime, user_id: int, within: Within = EVERYBODY) -> QueueCounts:
    """One query."""
    ready = READY.strip().removeprefix("AND")
    sql = f"""
        SELECT why.urgency, account.tier, person.office,
            count(*) FILTER (WHERE {OF_TIER} AND {OF_OFFICE}),
            count(*) FILTER (WHERE {OF_TIER} AND {OF_OFFICE} AND {ready}),
            count(*) FILTER (WHERE {OF_OFFICE}),
            count(*) FILTER (WHERE {OF_TIER})
        {ROWS} GROUP BY GROUPING SETS ((why.urgency), (account.tier), (person.office))
        ORDER BY 7 DESC, person.office
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, _parameters(incident_id, at, within) | {"user": user_id})
        rows = cursor.fetchall()
    by_urgency = {Urgency(row[0]): row[3] for row in rows if row[0] is not None}
    return QueueCounts(
        by_urgency,
        sum(row[4] for row in rows if row[0] is not None),
        {row[1]: row[5] for row in rows if row[1] is not None},
        {row[2]: row[6] for row in rows if row[2] is not None and row[6]},
    )


def _parameters(incident_id: UUID, at: datetime, within: Within = EVERYBODY) -> dict[str, Any]:
    return {
        "tier": within.tier,
        "office": within.office,
        "begins": within.begins,
        "unheard": at - UNHEARD,
        "claims": [str(answer) for answer in Confirmation.CLAIMS],
        "incident": incident_id,
        "at": at,
        "rested": at - REST,
        "without": [str(state) for state in WITHOUT],
        "to_reach": [str(state) for state in STILL_TO_REACH],
        "nobodys": [str(kind) for kind in KINDS_WITHOUT_HOLDER],
    }


def _found(sql: str, parameters: Mapping[str, Any]) -> list[Waiting]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [_waiting(row) for row in cursor.fetchall()]


def _waiting(row: tuple[Any, ...]) -> Waiting:
    pk, urgency, tier, outside, attempts, tried = row[:6]
    letter, login, name, office, department, mobile, telephone, changed, last_at, last_said = row[6:16]
    call_back_at, outcome, held_by, held_since, call_from, call_until, password_changed_at = row[16:]
    return Waiting(
        affected_id=pk,
        urgency=Urgency(urgency),
        place=(urgency, tier, outside, attempts, tried, pk),
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
        call_from=call_from,
        call_until=call_until,
        password_changed_at=password_changed_at,
    )

"""The entries of an export, as text that PostgreSQL writes: one COPY, in one snapshot, in constant memory.

The ORM gives a sixth of the rows a second. COPY is asked for its binary form, in which a line of text comes as it is,
without a delimiter that could occur in it.
"""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import mogrify

from runbooks.timeline.queries import Filter
from runbooks.timeline.queries.filtering import Where, conditions
from runbooks.timeline.verify import INSTANT

# What COPY sends before its first row, and instead of a row at the end; before each row stand the number of columns
# (two bytes) and the length of the one there is (four).
HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
BEFORE: Final = 6
ORDERS: Final = {"sequence": "event.sequence", "occurred": "event.occurred_at, event.sequence"}

# Half the price of to_char. A JSON string: RFC 3339 with the offset, without zeros at the end of the fraction.
LOCAL: Final = "to_json(event.{})"
OCCURRED, RECORDED = INSTANT.format("occurred_at"), INSTANT.format("recorded_at")
OCCURRED_LOCAL, RECORDED_LOCAL = LOCAL.format("occurred_at"), LOCAL.format("recorded_at")
# What stands beside an entry is looked up where there is something, which is seldom: joined, it would cost each entry
# its place in a hash, and a million of them a sort on disk. `IN` is asked of a hash that is made once.
REDACTED_BY: Final = """CASE WHEN event.salt IS NULL THEN (
    SELECT min(taking.sequence) FROM runbooks_timelineevent taking
    WHERE taking.incident_id = event.incident_id AND taking.corrects = event.sequence AND taking.kind = 'entry.redacted'
) END"""
CORRECTED_BY: Final = """CASE WHEN event.sequence IN (
    SELECT corrects FROM runbooks_timelineevent WHERE incident_id = %(incident)s AND corrects IS NOT NULL
) THEN (
    SELECT min(later.sequence) FROM runbooks_timelineevent later
    WHERE later.incident_id = event.incident_id AND later.corrects = event.sequence
        AND later.kind <> 'entry.redacted' AND later.sequence <= %(until)s
) END"""
STEP: Final = """CASE WHEN event.step_id IS NOT NULL THEN (
    SELECT step.number FROM runbooks_step step WHERE step.id = event.step_id
) END"""
IS_PINNED: Final = "event.id IN (SELECT event_id FROM runbooks_pin WHERE incident_id = %(incident)s)"
LOGINS: Final = """CASE cardinality(event.account_ids) WHEN 0 THEN NULL WHEN 1 THEN (
    SELECT {one} FROM runbooks_affectedaccount account WHERE account.id = event.account_ids[1]
) ELSE (
    SELECT {several} FROM runbooks_affectedaccount account WHERE account.id = ANY(event.account_ids)
) END"""
LOGINS_JSON: Final = LOGINS.format(
    one="'[' || to_json(account.login) || ']'", several="json_agg(account.login ORDER BY account.login)::text"
)
LOGINS_TEXT: Final = LOGINS.format(
    one="account.login", several="string_agg(account.login, ', ' ORDER BY account.login)"
)
# An entry as docs/schema/entry.schema.json has it. concat() puts it together in one go, where || copies at each.
ENTRY: Final = f"""concat(
'{{"sequence":', event.sequence, ',"occurred_at":"', {OCCURRED}, '","occurred_at_local":', {OCCURRED_LOCAL},
',"occurred_precision":"', event.occurred_precision, '","recorded_at":"', {RECORDED},
'","recorded_at_local":', {RECORDED_LOCAL}, ',"kind":', to_json(event.kind), ',"lane":"', event.lane,
CASE WHEN event.salt IS NULL THEN '","summary":null,"details":null'
    ELSE concat('","summary":', to_json(event.summary), ',"details":', event.details) END,
',"actor":', to_json(event.actor), CASE WHEN event.is_automated THEN ',"automated":true' ELSE ',"automated":false' END,
',"step":', coalesce(to_json({STEP})::text, 'null'), ',"accounts":', coalesce({LOGINS_JSON}, '[]'),
',"corrects":', coalesce(event.corrects::text, 'null'),
',"corrected_by":', coalesce(({CORRECTED_BY})::text, 'null'),
',"redacted_by":', coalesce(({REDACTED_BY})::text, 'null'),
CASE WHEN {IS_PINNED} THEN ',"key_event":true' ELSE ',"key_event":false' END,
',"run":', coalesce(event.burst::text, 'null'), ',"hash":"', event.hash, '"}}')
"""
COUNT: Final = "SELECT count(*) FROM runbooks_timelineevent event WHERE {where} AND event.sequence <= %s"
ROWS: Final = "FROM runbooks_timelineevent event WHERE {where} AND event.sequence <= %(until)s ORDER BY {order}"


@dataclass(frozen=True, slots=True)
class Account:
    """An account that one of the entries is about."""

    login: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step that one of the entries is about."""

    key: str
    number: str
    title: str
    instruction: str


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of an incident that a filter shows, up to `until`; a run of them counts as what it holds."""

    incident_id: UUID
    wanted: Filter
    until: int
    order: str = "sequence"

    @property
    def shown(self) -> Where:
        """The conditions, on the alias `event`."""
        return conditions(self.incident_id, replace(self.wanted, fold=False))

    def count(self) -> int:
        if not self.wanted.is_set:
            # Numbers have no gap.
            return self.until
        where = self.shown
        with connection.cursor() as cursor:
            cursor.execute(COUNT.format(where=where), [*where.parameters, self.until])
            return int(cursor.fetchone()[0])

    def lines(self, expression: str = ENTRY) -> Generator[bytes, None, None]:
        """What the SQL expression gives of each entry, in UTF-8. The connection is busy until the last one.

        The expression may name %(incident)s and %(until)s.
        """
        where, parameters = self._named()
        rows = ROWS.format(where=where, order=ORDERS[self.order])
        with connection.cursor() as cursor:
            yield from _copied(cursor, f"COPY (SELECT {expression} {rows}) TO STDOUT (FORMAT binary)", parameters)

    def _named(self) -> tuple[str, dict[str, Any]]:
        """The conditions with named parameters, since the expression has such."""
        where = self.shown
        names = [f"shown_{place}" for place in range(len(where.parameters))]
        values: dict[str, Any] = {**dict(zip(names, where.parameters, strict=True)), "incident": self.incident_id}
        return str(where) % tuple(f"%({name})s" for name in names), {**values, "until": self.until}

    def each(self) -> Iterator[dict[str, Any]]:
        """The entries as docs/schema/entry.schema.json has them."""
        return map(json.loads, self.lines())

    def accounts(self) -> Iterator[Account]:
        """The accounts that the entries are about, by login."""
        accounts = """SELECT DISTINCT ON (account.login) account.login, account.display_name
        FROM runbooks_affectedaccount account WHERE account.id IN (
            SELECT unnest(event.account_ids) FROM runbooks_timelineevent event WHERE {} AND event.sequence <= %s
        ) ORDER BY account.login, account.id"""
        return (Account(*row) for row in self._beside(accounts))

    def steps(self) -> Iterator[Step]:
        """The steps that the entries are about, in the order of the runbook."""
        steps = """SELECT step.key, step.number, step.title, step.instruction FROM runbooks_step step WHERE step.id IN (
            SELECT event.step_id FROM runbooks_timelineevent event WHERE {} AND event.sequence <= %s
        ) ORDER BY step.position"""
        return (Step(*row) for row in self._beside(steps))

    def files(self) -> set[int]:
        """The numbers of the attachments that an entry tells of or holds."""
        where = self.shown
        told = """SELECT (event.details ->> 'file')::int FROM runbooks_timelineevent event
            WHERE {} AND event.sequence <= %s AND jsonb_typeof(event.details -> 'file') = 'number'
            AND event.kind IN ('file.attached', 'step.evidence_added')"""
        holding = """SELECT file.number FROM runbooks_attachment file
            JOIN runbooks_timelineevent event ON event.incident_id = file.incident_id AND event.sequence = file.sequence
            WHERE {} AND event.sequence <= %s"""
        with connection.cursor() as cursor:
            cursor.execute(
                f"{told} UNION {holding}".format(where, where),
                [*where.parameters, self.until, *where.parameters, self.until],
            )
            return {number for (number,) in cursor.fetchall()}

    def _beside(self, statement: str) -> list[tuple[Any, ...]]:
        where = self.shown
        with connection.cursor() as cursor:
            cursor.execute(statement.format(where), [*where.parameters, self.until])
            return list(cursor.fetchall())


def _copied(cursor: Any, statement: str, parameters: Mapping[str, Any]) -> Generator[bytes, None, None]:
    # Put together here, since the cursor that logs its statements while debugging copies without parameters.
    with cursor.copy(mogrify(statement, parameters, connection)) as copy:
        blocks = iter(copy)
        first = bytes(next(blocks))[len(HEADER) :]
        if first and first != TRAILER:
            yield first[BEFORE:]
        for block in blocks:
            if len(block) > BEFORE:
                yield bytes(block[BEFORE:])


@contextmanager
def snapshot(zone: str) -> Iterator[None]:
    """One moment of the database for all that is read in the block, which writes nothing; local times are of `zone`.

    Inside another transaction it is that one's moment.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if not connection.savepoint_ids:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT set_config('TimeZone', %s, true)", [zone])
        # Entries in the order of their index: a million that two workers read would be sorted on disk afterwards.
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        yield
        cursor.execute("SELECT set_config('TimeZone', 'UTC', true)")
        cursor.execute("SET LOCAL max_parallel_workers_per_gather TO DEFAULT")

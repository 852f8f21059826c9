"""Eight writers on one incident, each entry in a transaction of its own, next to a bare INSERT under the same row lock.

The bare side locks the row by `SELECT ... FOR UPDATE` of its key, and inserts the same columns into the same table with
the same indexes: no sealing, no head, no counts, no word to open pages. A second bare side locks by the call that every
operation makes, which reads the whole row.
Target: `record` appends at least half of the entries a second of either.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone
from harness import Claim, Side, alternate, conclude, is_quick, portal

from runbooks.access.permissions import COMMAND_LINE
from runbooks.incidents.operations import lock
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record
from runbooks.timeline.verify import verify_chain
from tests.factories import make_incident

WRITERS = 8
TARGET = 0.5
INSERT = """
INSERT INTO runbooks_timelineevent (incident_id, sequence, kind, lane, summary, details, salt, actor, actor_user_id,
    is_automated, occurred_at, occurred_precision, recorded_at, corrects, previous, commitment, hash, step_id,
    account_ids, burst)
VALUES (%s, %s, 'entry.added', 'action', %s, '{"login": "person@parliament.example", "number": 7}', %s, 'Command line',
    NULL, false, %s, 'second', %s, NULL, %s, %s, %s, NULL, '{}', NULL)
"""
LOCK = "SELECT id FROM runbooks_incident WHERE id = %s FOR UPDATE"
HASH = "0123456789abcdef" * 4
SUMMARY = "Entry {} of the night: person@parliament.example was looked at by the desk, and the holder called"
DETAILS = {"login": "person@parliament.example", "number": 7}


def writing(each: int, append: Callable[[int], None]) -> Callable[[object], None]:
    """A run of all writers at once, `each` entries a writer, each over a connection of its own."""
    numbers = count(1_000_000)

    def write(_: int) -> None:
        try:
            for _ in range(each):
                append(next(numbers))
        finally:
            connection.close()

    def run(_: object) -> None:
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, range(WRITERS)))

    return run


def recorder(incident_id: UUID) -> Callable[[int], None]:
    @transaction.atomic
    def append(number: int) -> None:
        entry = Entry("entry.added", SUMMARY.format(number), Lane.ACTION, DETAILS)
        record(lock(incident_id), entry, actor=COMMAND_LINE, at=timezone.now())

    return append


def lock_bare(incident_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [incident_id])
        cursor.fetchone()


def inserter(incident_id: UUID, hold: Callable[[UUID], object]) -> Callable[[int], None]:
    @transaction.atomic
    def append(number: int) -> None:
        hold(incident_id)
        at = timezone.now()
        values = (SUMMARY.format(number), b"0123456789abcdef", at, at, HASH, HASH, HASH)
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [incident_id, number, *values])

    return append


def main() -> int:
    each = 50 if is_quick(__doc__) else 250
    with portal():
        sealed, bare, beside = make_incident(), make_incident(), make_incident()
        seconds = alternate(
            {
                "record": Side(writing(each, recorder(sealed.pk))),
                "bare INSERT": Side(writing(each, inserter(bare.pk, lock_bare))),
                "bare INSERT, locked as operations do": Side(writing(each, inserter(beside.pk, lock))),
            }
        )
        verdict = verify_chain(sealed.pk)
        assert verdict.broken_at is None, verdict
        for name, taken in seconds.items():
            print(f"{name}: {WRITERS * each / taken:,.0f} entries a second")
        print(f"{verdict.entries:,} entries verify")
        ours = seconds.pop("record")
        return conclude("append", [Claim(name, taken / ours, TARGET, at_least=True) for name, taken in seconds.items()])


if __name__ == "__main__":
    sys.exit(main())

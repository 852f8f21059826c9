"""1,000,000 entries exported to JSON Lines and CSV, next to a bare COPY of the same rows.

The portal's side is what a worker does: claim the export, count, write every field in both zones with accounts, steps
and corrections, hash the file, store it, tell how far it is by a second connection, and note it in the timeline. The
bare side copies the stored columns of the same rows, in PostgreSQL's own text form, into a file. Target: at least 40 %
of its rows a second, with a process that stays under 200 MB.
"""

import resource
import sys
from collections.abc import Callable
from pathlib import Path

from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone
from harness import Claim, Side, alternate, conclude, is_quick, portal
from seeding import large_incident

from runbooks.access.permissions import COMMAND_LINE
from runbooks.exports.models import Export
from runbooks.exports.operations.making import make_export
from runbooks.exports.operations.requesting import Wish, request_export
from runbooks.incidents.models import Incident

TARGET, MEMORY_TARGET = 0.4, 200
FORMATS = ("jsonl", "csv")
# All columns but `search`, which PostgreSQL makes of the others.
BARE = """
COPY (SELECT id, incident_id, sequence, kind, lane, summary, details, salt, actor, actor_user_id, is_automated,
    occurred_at, occurred_precision, recorded_at, corrects, previous, commitment, hash, step_id, account_ids, burst
    FROM runbooks_timelineevent WHERE incident_id = %s AND sequence <= %s ORDER BY sequence) TO STDOUT
"""


def copy_bare(incident: Incident, path: Path) -> None:
    parameters = [incident.pk, incident.head_sequence]
    with path.open("wb") as file, connection.cursor() as cursor, cursor.copy(BARE, parameters) as copy:
        for block in copy:
            file.write(block)


def asking(incident: Incident, format: str) -> Callable[[], Export]:
    """Asks for an export, as a page does; the file of the one before goes."""

    def ask() -> Export:
        for name in Export.objects.filter(format=format).exclude(file="").values_list("file", flat=True):
            default_storage.delete(name)
        return request_export(incident_id=incident.pk, wish=Wish(format), actor=COMMAND_LINE, at=timezone.now())

    return ask


def make(export: Export) -> None:
    made = make_export(export_id=export.pk, clock=timezone.now, watched=True)
    assert made is not None
    assert made.status == Export.Status.READY, made.reason
    assert made.entries == export.head_sequence


def main() -> int:
    entries, rounds = (100_000, 5) if is_quick(__doc__) else (1_000_000, 3)
    with portal() as folder:
        incident, bare = large_incident(accounts=9000, entries=entries), folder / "bare"
        sides = {format: Side(make, prepare=asking(incident, format)) for format in FORMATS}
        seconds = alternate({**sides, "bare COPY": Side(lambda _: copy_bare(incident, bare))}, rounds=rounds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        copied = seconds["bare COPY"]
        print(f"{entries:,} entries; bare COPY: {entries / copied:,.0f} a second, {bare.stat().st_size / 1e6:,.0f} MB")
        for format in FORMATS:
            size = Export.objects.filter(format=format, status=Export.Status.READY).latest("number").size or 0
            print(f"{format}: {entries / seconds[format]:,.0f} entries a second, {size / 1e6:,.0f} MB")
        print(f"this process: at most {peak:,.0f} MB")
        claims = [Claim(format, copied / seconds[format], TARGET, at_least=True) for format in FORMATS]
        return conclude("export", [*claims, Claim("memory in MB", peak, MEMORY_TARGET)])


if __name__ == "__main__":
    sys.exit(main())

"""What was imported into an incident before: the mark each imported entry keeps, and the lines of a file."""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db import connection

ONE, MANY = "entry.imported", "entries.imported"
MARKS: Final = """
    SELECT sequence, details -> 'import' ->> 'digest' FROM runbooks_timelineevent
    WHERE incident_id = %s AND sequence > %s AND kind = %s
"""
LINES: Final = """
    SELECT sequence, (one ->> 0)::int, (one ->> 1)::int
    FROM runbooks_timelineevent, jsonb_array_elements(details -> 'lines') AS one
    WHERE incident_id = %s AND sequence > %s AND kind = %s AND details -> 'import' ->> 'sha256' = %s
"""
SOURCE: Final = """
    SELECT details -> 'import' ->> 'source' FROM runbooks_timelineevent
    WHERE incident_id = %s AND kind = %s AND details -> 'import' ->> 'sha256' = %s ORDER BY sequence LIMIT 1
"""


@dataclass(slots=True)
class Known:
    """What is there already, of an incident and a file. An entry whose content was taken out keeps no mark: the lines
    of its own file are known all the same, by what was recorded of each run."""

    incident_id: UUID
    sha256: str
    until: int = 0
    taken_out: int = 0
    _marks: set[bytes] = field(default_factory=set)
    _lines: set[int] = field(default_factory=set)

    def refresh(self) -> None:
        """Take in what was recorded since. Under the incident's lock nothing else comes afterwards."""
        newest = self.until
        with connection.cursor() as cursor:
            cursor.execute(MARKS, [self.incident_id, self.until, ONE])
            for sequence, mark in cursor.fetchall():
                newest = max(newest, sequence)
                if mark is None:
                    self.taken_out += 1
                else:
                    self._marks.add(bytes.fromhex(mark))
            cursor.execute(LINES, [self.incident_id, self.until, MANY, self.sha256])
            for sequence, first, last in cursor.fetchall():
                newest = max(newest, sequence)
                self._lines.update(range(first, last + 1))
        self.until = newest

    def holds(self, number: int, mark: str) -> bool:
        return number in self._lines or bytes.fromhex(mark) in self._marks


def source_of(incident_id: UUID, sha256: str) -> str:
    """What the same file was called when it was imported first; empty where it was not."""
    with connection.cursor() as cursor:
        cursor.execute(SOURCE, [incident_id, MANY, sha256])
        found = cursor.fetchone()
    return str(found[0]) if found and found[0] else ""

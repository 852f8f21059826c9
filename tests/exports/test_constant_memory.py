"""An export takes as much memory for many entries as for few: measured while it is written, not at the end."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from runbooks.access.permissions import COMMAND_LINE
from runbooks.exports.formats import FORMATS
from runbooks.exports.models import SigningKey
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.timeline.operations import Entry, record_many
from tests.exports.exporting import AT, write_to

pytestmark = pytest.mark.django_db
# A page for people is set as a whole, and says so where there is too much for one.
STREAMED = [slug for slug in FORMATS if slug in {"xlsx", "csv", "json", "jsonl", "stix", "misp"} or "sketch" in slug]
ENTRIES, BYTES = 10_000, 3000
PAGE_KB = 4


def resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KB


class Measured(io.RawIOBase):
    """Takes everything, keeps nothing, and knows how much memory the process had at most meanwhile."""

    def __init__(self) -> None:
        self.most, self.size = 0, 0

    def look(self, done: int = 0) -> None:
        self.most = max(self.most, resident_kb())

    def write(self, part: Any) -> int:
        self.look()
        self.size += len(part)
        return len(part)


@pytest.fixture
def large(incident: Incident, key: SigningKey) -> Incident:
    details = {"text": "x" * BYTES}
    entries = [Entry("entry.added", f"Entry {number}", details=details) for number in range(ENTRIES)]
    with transaction.atomic():
        record_many(lock(incident.pk), entries, actor=COMMAND_LINE, at=AT)
    return incident


@pytest.mark.parametrize("slug", STREAMED)
def test_ten_thousand_entries_are_not_held(slug: str, large: Incident) -> None:
    few, many = Measured(), Measured()
    write_to(few, large, slug, query="burst=99", tell=few.look)  # type: ignore[arg-type]
    write_to(many, large, slug, tell=many.look)  # type: ignore[arg-type]
    assert many.size > (ENTRIES * 100 if slug in {"xlsx", "stix", "misp"} else ENTRIES * BYTES)
    assert many.most - few.most < ENTRIES * BYTES // 1024 // 2

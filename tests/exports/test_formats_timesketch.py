"""Timesketch takes the files, by the rules of its own importer (timesketch/lib/utils.py), restated here."""

import csv
import io
import json
from datetime import datetime

import pytest

from runbooks.exports.formats import FORMATS
from runbooks.exports.formats.cells import unguard
from runbooks.exports.formats.timesketch import FIELD_MAX, fitting
from runbooks.incidents.models import Incident
from tests.exports.exporting import AT, HOSTILE, hostile, peopled, redacted_entry, written
from tests.factories import make_entry, make_incident

pytestmark = pytest.mark.django_db
WANTED = ["message", "datetime", "timestamp_desc"]


@pytest.fixture
def incident(db: None) -> Incident:
    incident = make_incident()
    hostile(incident)
    peopled(incident)
    redacted_entry(incident)
    return incident


def imported(name: str, raw: bytes) -> list[dict[str, object]]:
    """As the importer reads it: by the ending of the name; what lacks a field or a time is an error."""
    if name.endswith(".csv"):
        found: list[dict[str, object]] = [*csv.DictReader(io.StringIO(raw.decode(), newline=""))]
        assert raw.decode().split("\n", 1)[0].split(",")[:3] == WANTED
    else:
        assert name.endswith(".jsonl")
        found = [json.loads(line) for line in raw.splitlines() if line]
    for event in found:
        assert all(event[field] for field in WANTED), event
        moment = datetime.fromisoformat(str(event["datetime"]))
        assert moment.utcoffset() is not None
        assert all(len(str(value).encode()) <= FIELD_MAX for value in event.values())
    return found


@pytest.mark.parametrize("slug", ["timesketch-csv", "timesketch-jsonl"])
def test_every_entry_is_taken(slug: str, incident: Incident) -> None:
    name = f"IR-2026-0001-EX-03{FORMATS[slug].suffix}"
    *events, about = imported(name, written(incident, slug))
    incident.refresh_from_db()
    assert [int(str(event["sequence"])) for event in events] == list(range(1, incident.head_sequence + 1))
    assert about["timestamp_desc"] == "Exported"


def test_texts_are_exact_in_lines_and_guarded_in_cells(incident: Incident) -> None:
    wanted = [text.strip() for text in HOSTILE]
    lines = imported("x.jsonl", written(incident, "timesketch-jsonl"))[: len(wanted)]
    cells = imported("x.csv", written(incident, "timesketch-csv"))[: len(wanted)]
    assert [event["message"] for event in lines] == wanted
    assert [unguard(str(event["message"])) for event in cells] == wanted
    assert str(cells[0]["message"]).startswith("'=")


def test_the_moment_is_when_it_happened_and_how_exactly(incident: Incident) -> None:
    make_entry(incident, "rough", occurred_at=AT, precision="day")
    *_, rough, _ = imported("x.jsonl", written(incident, "timesketch-jsonl"))
    assert rough["datetime"] == "2026-06-24T10:30:05.123450+00:00"
    assert rough["timestamp_desc"] == "Occurred (on that day)"


def test_a_long_field_is_cut_between_two_characters() -> None:
    cut = fitting("é" * 40_000)
    assert len(cut.encode()) <= FIELD_MAX
    assert cut.startswith("é" * 16_000)
    assert cut.endswith("has all of it)")
    assert fitting("é" * 100) == "é" * 100

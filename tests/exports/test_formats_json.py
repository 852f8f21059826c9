"""JSON and JSON Lines hold to the schemas that are published with the portal."""

import json
from typing import Any

import pytest
from django.conf import settings
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.seal import instant
from tests.exports.exporting import AT, hostile, peopled, redacted_entry, written
from tests.factories import make_entry, make_incident

pytestmark = pytest.mark.django_db
SCHEMAS = {
    name: json.loads((settings.BASE_DIR / "docs" / "schema" / f"{name}.schema.json").read_text())
    for name in ("about", "entry", "entries", "line")
}
REGISTRY: Any = Registry().with_resources(
    (f"{name}.schema.json", Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)


def validator(name: str) -> Draft202012Validator:
    Draft202012Validator.check_schema(SCHEMAS[name])
    return Draft202012Validator(SCHEMAS[name], registry=REGISTRY)


@pytest.fixture
def incident(db: None) -> Incident:
    """One with everything, in a zone where it is not the time of UTC."""
    incident = make_incident(time_zone="Asia/Kathmandu")
    hostile(incident)
    peopled(incident)
    redacted_entry(incident)
    return incident


def lines(raw: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in raw.split(b"\n")[:-1]]


def test_json_holds_to_its_schema(incident: Incident) -> None:
    read = json.loads(written(incident, "json", query="who=people"))
    validator("entries").validate(read)
    assert len(read["entries"]) == read["about"]["entries"]
    assert read["about"]["left_out"] == 3
    assert read["about"]["filter"] == {"who": "people"}


def test_each_line_holds_to_its_schema(incident: Incident) -> None:
    about, *entries = lines(written(incident, "jsonl"))
    check = validator("line")
    for line in (about, *entries):
        check.validate(line)
    assert about["about"]["entries"] == len(entries) == incident.head_sequence
    assert [entry["sequence"] for entry in entries] == list(range(1, incident.head_sequence + 1))


def test_the_schema_refuses_what_is_none_of_ours(incident: Incident) -> None:
    entry = lines(written(incident, "jsonl"))[1]
    for name, value in (("hash", "x"), ("sequence", 0), ("lane", "other"), ("more", 1), ("occurred_at", "2026")):
        assert not validator("entry").is_valid({**entry, name: value}), name


def test_entries_say_what_the_records_say(incident: Incident) -> None:
    found = {entry["sequence"]: entry for entry in lines(written(incident, "jsonl"))[1:]}
    for event in TimelineEvent.objects.filter(incident=incident):
        entry = found[event.sequence]
        assert (entry["hash"], entry["kind"], entry["lane"]) == (event.hash, event.kind, event.lane)
        assert (entry["occurred_at"], entry["recorded_at"]) == (instant(event.occurred_at), instant(event.recorded_at))
        assert (entry["actor"], entry["automated"]) == (event.actor, event.is_automated)
        assert entry["corrects"] == event.corrects
        if event.salt is not None:
            assert (entry["summary"], entry["details"]) == (event.summary, event.details)
        else:
            assert (entry["summary"], entry["details"]) == (None, None)


def test_local_times_are_of_the_zone_of_the_incident(incident: Incident) -> None:
    make_entry(incident, "x", occurred_at=AT)
    assert lines(written(incident, "jsonl"))[-1]["occurred_at_local"] == "2026-06-24T16:15:05.12345+05:45"

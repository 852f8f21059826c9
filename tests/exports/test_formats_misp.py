"""The MISP event, loaded by MISP's own library."""

import json

import pytest
from pymisp import MISPEvent

from runbooks.incidents.models import Incident
from tests.exports.exporting import AT, hostile, peopled, redacted_entry, written
from tests.factories import make_entry, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident(db: None) -> Incident:
    incident = make_incident(tlp="AMBER")
    hostile(incident)
    peopled(incident)
    redacted_entry(incident)
    return incident


def loaded(raw: bytes) -> MISPEvent:
    event = MISPEvent()
    event.load(raw.decode())
    return event


def test_the_library_loads_all_of_it(incident: Incident) -> None:
    raw = written(incident, "misp")
    event = loaded(raw)
    incident.refresh_from_db()
    assert len(event.attributes) == incident.head_sequence + 2 + 1 == int(json.loads(raw)["Event"]["attribute_count"])
    assert (event.uuid, event.info) == (str(incident.pk), f"{incident.reference} {incident.title}")
    assert [tag.name for tag in event.tags] == ["tlp:amber"]
    assert not event.published
    json.loads(event.to_json())


def test_no_value_stands_twice_and_nothing_is_for_detection(incident: Incident) -> None:
    for _ in range(3):
        make_entry(incident, "the same words")
    attributes = loaded(written(incident, "misp")).attributes
    assert (
        len({(one.type, one.value) for one in attributes}) == len({one.uuid for one in attributes}) == len(attributes)
    )
    assert not any(one.to_ids for one in attributes)


def test_an_entry_has_its_moment_and_numbers_are_strings(incident: Incident) -> None:
    make_entry(incident, "x", occurred_at=AT)
    raw = written(incident, "misp")
    newest = loaded(raw).attributes[-1]
    assert newest.first_seen == AT
    event = json.loads(raw)["Event"]
    for name in ("analysis", "distribution", "threat_level_id", "timestamp", "publish_timestamp", "org_id", "orgc_id"):
        assert isinstance(event[name], str), name

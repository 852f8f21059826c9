"""The STIX bundle holds to the specification's own schemas, and the OASIS's library reads it."""

import json
import warnings
from typing import Any

import pytest
import stix2
from stix2validator import ValidationOptions, validate_instance

from runbooks.incidents.models import Incident
from tests.exports.exporting import AT, hostile, peopled, redacted_entry, written
from tests.factories import make_entry, make_incident

pytestmark = pytest.mark.django_db

# Random ids are what the specification advises; ours follow from the incident's, so that exports update each other.
OPTIONS = ValidationOptions(version="2.1", strict=True, disabled="uuid-check")


@pytest.fixture
def incident(db: None) -> Incident:
    incident = make_incident(tlp="AMBER+STRICT")
    hostile(incident)
    peopled(incident)
    redacted_entry(incident)
    return incident


def bundle(incident: Incident, **asked: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(written(incident, "stix", **asked))
    return read


def objects(read: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in read["objects"] if one["type"] == kind]


@pytest.mark.parametrize("tlp", ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"])
def test_it_holds_to_the_schemas_of_the_specification(incident: Incident, tlp: str) -> None:
    Incident.objects.filter(pk=incident.pk).update(tlp=tlp)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = validate_instance(bundle(incident), OPTIONS)
    assert found.is_valid, [str(error) for error in found.errors]


def test_the_library_reads_every_object(incident: Incident) -> None:
    read = bundle(incident)
    parsed = stix2.parse(json.dumps(read), allow_custom=False)
    assert len(parsed.objects) == len(read["objects"])
    incident_object = next(one for one in parsed.objects if one.type == "incident")
    extension = incident_object.extensions["extension-definition--ef765651-680c-498d-9894-99799f2fa126"]
    assert (extension["determination"], extension["investigation_status"]) == ("confirmed", "open")


def test_nothing_refers_to_what_is_not_there(incident: Incident) -> None:
    read = bundle(incident)
    ids = {one["id"] for one in read["objects"]}
    assert len(ids) == len(read["objects"])
    for one in read["objects"]:
        named = [*one.get("object_refs", []), *one.get("object_marking_refs", [])]
        core = one.get("extensions", {}).get("extension-definition--ef765651-680c-498d-9894-99799f2fa126", {})
        assert set(named) | set(core.get("other_object_refs", [])) <= ids


def test_each_entry_is_a_note_and_a_detection_is_observed_as_well(incident: Incident) -> None:
    read = bundle(incident)
    incident.refresh_from_db()
    assert len(objects(read, "note")) == incident.head_sequence
    (seen,) = objects(read, "observed-data")
    assert len(seen["object_refs"]) == len(objects(read, "user-account")) == 2
    (step,) = objects(read, "course-of-action")
    assert step["name"] == "3.2 Look at the gateway"


def test_the_ids_of_a_later_export_are_those_of_the_earlier(incident: Incident) -> None:
    before = {one["id"] for one in bundle(incident)["objects"]}
    make_entry(incident, "one more", occurred_at=AT)
    after = {one["id"] for one in bundle(incident)["objects"]}
    assert before < after
    assert len(after - before) == 1


def test_only_accounts_and_steps_of_what_the_filter_shows_are_in(incident: Incident) -> None:
    read = bundle(incident, query="q=Looked")
    assert objects(read, "user-account") == []
    assert len(objects(read, "course-of-action")) == len(objects(read, "note")) == 1

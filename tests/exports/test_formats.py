"""What holds of every format: it takes what comes, gives the same bytes again, and says what its filter left out."""

import io
import json
import zipfile
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from runbooks.exports.formats import FORMATS, PLAIN, Format
from runbooks.exports.models import SigningKey
from runbooks.incidents.models import Incident
from tests.exports.exporting import (
    AT,
    HOSTILE,
    content_of,
    exported,
    hostile,
    peopled,
    redacted_entry,
    write_to,
    written,
)
from tests.factories import make_entry, make_incident
from tests.pdf import read, words

pytestmark = pytest.mark.django_db
every_format = pytest.mark.parametrize("one", FORMATS.values(), ids=list(FORMATS))
every_plain_format = pytest.mark.parametrize("one", PLAIN, ids=[one.slug for one in PLAIN])


@pytest.fixture
def incident(db: None) -> Incident:
    """In a zone where it is not the time of UTC."""
    return make_incident(time_zone="America/New_York")


def text_of(raw: bytes) -> str:
    """The text in a file, whatever it is packed in."""
    if raw.startswith(b"%PDF"):
        return words(read(raw))
    if not raw.startswith(b"PK"):
        return raw.decode()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return "\n".join(text_of(archive.read(name)) for name in archive.namelist())


@every_format
def test_a_format_is_named_and_said(one: Format) -> None:
    assert one.suffix.startswith(".")
    assert one.label
    assert one.purpose.endswith(".")
    assert FORMATS[one.slug] is one


@every_format
def test_an_incident_without_entries_makes_a_file(one: Format, incident: Incident, key: SigningKey) -> None:
    assert written(incident, one.slug, query="q=nothing-like-it")


@every_format
def test_hostile_texts_corrections_and_what_was_taken_out_are_written(
    one: Format, incident: Incident, key: SigningKey
) -> None:
    hostile(incident)
    peopled(incident)
    redacted_entry(incident)
    raw = written(incident, one.slug)
    text = text_of(raw)
    assert "of Zoë" not in text
    assert "łódź" in text
    assert len(raw) > 5000


@every_plain_format
def test_the_same_entries_make_the_same_bytes(one: Format, incident: Incident) -> None:
    hostile(incident)
    peopled(incident)
    assert written(incident, one.slug) == written(incident, one.slug)


@every_plain_format
def test_a_filtered_export_says_its_filter_and_what_it_left_out(one: Format, incident: Incident) -> None:
    for number in range(7):
        make_entry(incident, f"needle{number}" if number < 3 else f"straw{number}")
    text = text_of(written(incident, one.slug, query="q=needle"))
    assert "needle2" in text
    assert "straw4" not in text
    assert "needle”" in text
    assert '"left_out":4' in text or "4 entries left out" in text or "4 of 7" in text


@every_plain_format
def test_entries_come_by_number_or_by_time(one: Format, incident: Incident) -> None:
    make_entry(incident, "happened late", occurred_at=AT)
    make_entry(incident, "happened early", occurred_at=AT.replace(day=1))
    by_number = text_of(written(incident, one.slug))
    by_time = text_of(written(incident, one.slug, order="occurred"))
    assert by_number.index("happened late") < by_number.index("happened early")
    assert by_time.index("happened early") < by_time.index("happened late")


@every_plain_format
def test_nothing_after_the_head_is_in(one: Format, incident: Incident) -> None:
    make_entry(incident, "before it was asked")
    raw = text_of(content_of(exported(incident, one.slug)))
    assert "before it was asked" in raw
    assert "asked for" not in raw


def test_every_hostile_text_comes_back_from_json(incident: Incident) -> None:
    hostile(incident)
    entries = json.loads(written(incident, "json"))["entries"]
    texts = [text.strip() for text in HOSTILE]
    assert [entry["summary"] for entry in entries] == texts
    assert [entry["details"]["text"] for entry in entries] == list(HOSTILE)


@every_plain_format
def test_a_disk_that_is_full_leaves_the_connection_free(one: Format, incident: Incident) -> None:
    hostile(incident)
    with pytest.raises(OSError, match="full"), transaction.atomic():
        write_to(Full(), incident, one.slug)
    assert Incident.objects.filter(pk=incident.pk).exists()


class Full(io.BytesIO):
    """Takes a little, and then no more."""

    def write(self, part: Any) -> int:
        if self.tell() + len(part) > 2000:
            raise OSError("full")
        return super().write(part)


def test_statements_may_be_logged_meanwhile(incident: Incident) -> None:
    make_entry(incident, "100 % sure")
    with CaptureQueriesContext(connection):
        assert "100 % sure" in text_of(written(incident, "jsonl", query="q=sure"))

"""Downloading an export: its headers, and what is written down before the first byte."""

import base64
import hashlib
from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.core.files.storage import default_storage
from django.test import Client

from runbooks.access.models import AccessRecord, User
from runbooks.exports.models import Download, Export
from runbooks.exports.views import one
from runbooks.incidents.models import Incident
from tests.exports.exporting import content_of, exported
from tests.factories import make_entry, make_incident

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def export(incident: Incident) -> Export:
    make_entry(incident, "Zoë")
    return exported(incident, "csv")


def address(export: Export) -> str:
    return f"/incidents/{export.incident.reference}/exports/{export.number}/download/"


def test_it_is_the_file_as_an_attachment_and_nothing_else(export: Export, auditor: User, client_of: ClientOf) -> None:
    answer = client_of(auditor).get(address(export))
    content = b"".join(answer.streaming_content)  # type: ignore[arg-type]
    assert content == content_of(export)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{export.file_name}"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "no-store" in answer.headers["Cache-Control"]
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert answer.headers["Repr-Digest"] == f"sha-256=:{digest}:"


def test_who_takes_it_is_written_down(export: Export, auditor: User, client_of: ClientOf) -> None:
    list(client_of(auditor).get(address(export)).streaming_content)  # type: ignore[arg-type]
    made = Download.objects.get()
    assert (made.export, made.user, made.name) == (export, auditor, str(auditor))
    reading = AccessRecord.objects.get()
    assert (reading.kind, reading.subject) == ("export", f"EX-01: {export.file_name}")


def test_what_cannot_be_written_down_is_not_given_out(export: Export, auditor: User, client_of: ClientOf) -> None:
    client = client_of(auditor)
    with patch.object(one, "note_download", side_effect=RuntimeError), pytest.raises(RuntimeError):
        client.get(address(export))


def test_asking_for_the_headers_alone_is_no_download(export: Export, auditor: User, client_of: ClientOf) -> None:
    answer = client_of(auditor).head(address(export))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(export.size)
    assert not Download.objects.exists()


def test_another_incident_s_members_do_not_find_it(export: Export, outsider: User, client_of: ClientOf) -> None:
    other = make_incident(lead=outsider)
    client = client_of(outsider)
    assert client.get(address(export)).status_code == 404
    assert client.get(f"/incidents/{other.reference}/exports/{export.number}/download/").status_code == 404
    assert not Download.objects.exists()


def test_what_is_not_ready_or_lost_has_no_file(export: Export, auditor: User, client_of: ClientOf) -> None:
    client = client_of(auditor)
    default_storage.delete(export.file)
    assert client.get(address(export)).status_code == 404
    Export.objects.update(status="failed")
    assert client.get(address(export)).status_code == 400
    assert client.get(address(export).replace("/1/", "/99999999999/")).status_code == 404
    assert not Download.objects.exists()

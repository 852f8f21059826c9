"""Taking a file of evidence away."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from runbooks.access.models import User
from runbooks.containment.models import Evidence, Step
from runbooks.containment.operations import NewEvidence

ClientOf = Callable[[User], Client]
Do = Callable[..., Any]


def address(evidence: Evidence) -> str:
    return reverse("step_evidence_file", args=[evidence.step.incident.reference, evidence.step.key, evidence.pk])


@pytest.fixture
def add_file(do: Do, step: Step, responder: User) -> Callable[[str, bytes], Evidence]:
    def add(name: str, content: bytes) -> Evidence:
        upload = ContentFile(content, name="x")
        upload.name = name
        added: Evidence = do("add_evidence", step, responder, evidence=NewEvidence(Evidence.Kind.FILE, upload=upload))
        return added

    return add


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.html", b"<script>alert(document.cookie)</script>"),
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
        ("report.pdf", b"%PDF-1.7"),
        ("script.js", b"alert(1)"),
    ],
)
def test_a_file_is_handed_over_and_never_shown(
    add_file: Callable[[str, bytes], Evidence], auditor: User, client_of: ClientOf, name: str, content: bytes
) -> None:
    response = client_of(auditor).get(address(add_file(name, content)))
    assert response.status_code == 200
    assert b"".join(response.streaming_content) == content
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("name", ['a"; filename="evil.html', "übersicht.csv", "日本.txt", "a\r\nSet-Cookie: x=1"])
def test_no_file_name_breaks_out_of_its_header(
    add_file: Callable[[str, bytes], Evidence], responder: User, client_of: ClientOf, name: str
) -> None:
    response = client_of(responder).get(address(add_file(name, b"x")))
    disposition = response["Content-Disposition"]
    assert disposition.startswith("attachment; filename")
    assert "\r" not in disposition
    assert "\n" not in disposition
    assert "Set-Cookie" not in response.headers
    response.close()


def test_to_an_outsider_there_is_no_file(
    add_file: Callable[[str, bytes], Evidence], outsider: User, client_of: ClientOf
) -> None:
    assert client_of(outsider).get(address(add_file("a.txt", b"x"))).status_code == 404


def test_a_note_is_not_a_file(do: Do, step: Step, responder: User, client_of: ClientOf) -> None:
    note = do("add_evidence", step, responder, evidence=NewEvidence(Evidence.Kind.NOTE, note="Seen"))
    assert client_of(responder).get(address(note)).status_code == 404


def test_a_file_that_the_storage_lost_is_not_found(
    add_file: Callable[[str, bytes], Evidence], responder: User, client_of: ClientOf
) -> None:
    evidence = add_file("a.txt", b"x")
    default_storage.delete(str(evidence.file.name))
    assert client_of(responder).get(address(evidence)).status_code == 404


def test_the_step_leads_to_the_file_and_to_who_had_it_in_hand(
    add_file: Callable[[str, bytes], Evidence], auditor: User, client_of: ClientOf
) -> None:
    evidence = add_file("a.txt", b"x")
    incident, file = evidence.step.incident, evidence.attachment
    assert file is not None
    assert (file.incident_id, file.name, file.stored.sha256) == (incident.pk, "a.txt", evidence.sha256)
    page = client_of(auditor).get(f"/incidents/{incident.reference}/steps/?open={evidence.step.key}").content.decode()
    there = reverse("attachment", args=[incident.reference, file.number])
    assert f'<a href="{there}">File {file.number}</a>' in page


def test_a_file_from_before_the_store_is_handed_over_and_leads_nowhere(
    add_file: Callable[[str, bytes], Evidence], responder: User, client_of: ClientOf
) -> None:
    evidence = add_file("a.txt", b"x")
    Evidence.objects.update(attachment=None)
    client, incident = client_of(responder), evidence.step.incident
    assert b"".join(client.get(address(evidence)).streaming_content) == b"x"
    page = client.get(f"/incidents/{incident.reference}/steps/?open={evidence.step.key}").content.decode()
    assert evidence.sha256 in page
    assert "File 1</a>" not in page

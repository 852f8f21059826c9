"""The list of files with its form, one file's page, and the files of an entry."""

import os
from collections.abc import Callable
from io import BytesIO

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.attachments import queries
from runbooks.attachments.models import Attachment
from runbooks.attachments.operations import hold
from runbooks.incidents.models import Incident
from tests.attachments.conftest import NOON, Attach, in_storage, upload
from tests.factories import make_entry

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def files(incident: Incident) -> str:
    return reverse("attachments", args=[incident.reference])


@pytest.fixture
def client(responder: User, client_of: ClientOf) -> Client:
    return client_of(responder)


def test_the_list_says_what_there_is(attach: Attach, files: str, client: Client, incident: Incident) -> None:
    entry = make_entry(incident, "Seen")
    attach(b"<html>", "invoice.pdf", note="From <the> gateway", sequence=entry.sequence)
    text = client.get(files).text
    digest = Attachment.objects.get().stored.sha256
    for said in ("invoice.pdf", "6 bytes", digest[:8], digest[56:], "From &lt;the&gt; gateway", f"#{entry.sequence}"):
        assert said in text
    assert "Its name says PDF document" in text
    assert "HTML page" in text


def test_an_empty_list_says_why(files: str, client: Client) -> None:
    assert "No files yet" in client.get(files).text
    assert "No file of that name" in client.get(f"{files}?name=x").text


def test_the_list_is_paged_by_number_and_filtered_by_name(
    attach: Attach, files: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries.attachments_of, "__kwdefaults__", {"before": None, "name": "", "limit": 2})
    for number in range(5):
        attach(os.urandom(8), f"{'log' if number % 2 else 'Mail'}-{number}.txt")
    first = client.get(files).text
    assert [name in first for name in ("Mail-4", "log-3", "Mail-2")] == [True, True, False]
    assert "?before=4" in first
    second = client.get(f"{files}?before=4").text
    assert [name in second for name in ("log-3", "Mail-2", "log-1", "Mail-0")] == [False, True, True, False]
    found = client.get(f"{files}?name=mail").text
    assert [name in found for name in ("Mail-4", "Mail-2", "log-3")] == [True, True, False]
    assert "?name=mail&amp;before=3" in found
    for nonsense in ("x", "-1", "9" * 18, "9" * 40, "²", "%00"):
        assert client.get(f"{files}?before={nonsense}").status_code in {200, 400}


@pytest.mark.parametrize("many", [1, 12])
def test_queries_do_not_grow_with_files_and_downloads(
    many: int, attach: Attach, files: str, client: Client, incident: Incident
) -> None:
    for _ in range(many):
        made = attach(os.urandom(8))
        client.get(reverse("attachment_download", args=[incident.reference, made.number])).getvalue()
    client.get(files)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(files).status_code == 200
    assert len(captured) == 9  # the person, the incident, files, downloads, and five of the frame


def test_a_file_is_attached_and_leads_to_its_page(files: str, client: Client, incident: Incident) -> None:
    response = client.post(files, {"upload": upload(b"x", "a.txt"), "note": "Seen"})
    assert response["Location"] == reverse("attachment", args=[incident.reference, 1])
    assert "File 1 is attached: a.txt." in client.get(response["Location"]).text


def test_a_file_for_an_entry_leads_back_to_it_and_stands_there(files: str, client: Client, incident: Incident) -> None:
    entry = make_entry(incident, "Seen")
    page = reverse("timeline_entry", args=[incident.reference, entry.sequence])
    assert f'name="sequence" value="{entry.sequence}"' in client.get(page).text
    response = client.post(files, {"upload": upload(b"x", "a.txt"), "sequence": entry.sequence})
    assert response["Location"] == page
    assert "a.txt" in client.get(page).text
    telling = reverse("timeline_entry", args=[incident.reference, entry.sequence + 1])
    assert reverse("attachment", args=[incident.reference, 1]) in client.get(telling).text


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({}, 400, "This field is required"),
        ({"upload": b""}, 400, "is empty"),
        ({"upload": b"\x7fELF" + bytes(60)}, 400, "Linux program"),
        ({"upload": b"x" * 101}, 413, "keeps up to 100 bytes"),
        ({"upload": b"x", "note": "n" * 401}, 400, "at most 400 characters"),
        ({"upload": b"x", "sequence": "x"}, 400, "whole number"),
        ({"upload": b"x", "sequence": "4711"}, 404, "not"),
        ({"upload": b"x", "sequence": "9" * 30}, 404, "not"),
    ],
)
def test_a_refusal_shows_the_form_again(
    form: dict[str, object], status: int, said: str, files: str, client: Client, settings: object, kept_before: set[str]
) -> None:
    settings.ATTACHMENT_MAX_BYTES = 100  # type: ignore[attr-defined]
    sent = {name: upload(value) if isinstance(value, bytes) else value for name, value in form.items()}
    response = client.post(files, sent)
    assert response.status_code == status
    assert said in response.text
    assert in_storage() == kept_before
    assert not Attachment.objects.exists()


@pytest.mark.parametrize("came", [10, 100_000, 4_000_000])
def test_an_upload_that_is_cut_off_is_no_file(came: int) -> None:
    """The server hands on what came of it; without the boundary at its end there is no file in the form."""
    start = b'--a\r\nContent-Disposition: form-data; name="upload"; filename="x.bin"\r\n\r\n'
    request = WSGIRequest(
        {
            "REQUEST_METHOD": "POST",
            "wsgi.input": BytesIO(start + b"y" * came),
            "CONTENT_LENGTH": "5000000",
            "CONTENT_TYPE": "multipart/form-data; boundary=a",
            "SERVER_NAME": "x",
            "SERVER_PORT": "80",
        }
    )
    assert not request.FILES


def test_who_may_not_attach_sees_no_form(files: str, incident: Incident, auditor: User, client_of: ClientOf) -> None:
    entry = make_entry(incident, "Seen")
    client = client_of(auditor)
    for page in (files, reverse("timeline_entry", args=[incident.reference, entry.sequence])):
        assert 'type="file"' not in client.get(page).text
    assert client.post(files, {"upload": upload()}).status_code == 403


def test_a_files_page_says_who_had_it_in_hand(
    attach: Attach, client: Client, incident: Incident, responder: User, auditor: User, client_of: ClientOf
) -> None:
    made = attach(b"%PDF-1.7", "a.pdf", note="Seen")
    client_of(auditor).get(reverse("attachment_download", args=[incident.reference, 1])).getvalue()
    text = client.get(reverse("attachment", args=[incident.reference, 1])).text
    assert "PDF document" in text
    assert f"</b> by {auditor.name}" in text
    assert f"</b> by {responder.name}" in text
    assert "1 download" in text
    assert made.stored.sha256[:8] in text
    assert client.get(reverse("attachment", args=[incident.reference, 2])).status_code == 404
    assert client.get(reverse("attachment", args=[incident.reference, 10**30])).status_code == 404


def test_a_coordinator_holds_and_releases_on_the_page(
    attach: Attach, incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    attach()
    client = client_of(coordinator)
    page, put, lift = (
        reverse(name, args=[incident.reference, 1]) for name in ("attachment", "attachment_hold", "attachment_release")
    )
    assert client.post(put, {"reason": ""}).status_code == 400
    assert client.post(put, {"reason": "The police asked"})["Location"] == page
    text = client.get(page).text
    assert "On hold" in text
    assert "The police asked" in text
    again = client.post(put, {"reason": "Twice"})
    assert again.status_code == 409
    assert "on hold already" in again.text
    assert client.post(lift, {"reason": "Done"})["Location"] == page
    assert "On hold" not in client.get(page).text


def test_others_see_the_hold_and_cannot_decide_it(
    attach: Attach, incident: Incident, client: Client, coordinator: User
) -> None:
    attach()
    hold(incident_id=incident.pk, number=1, reason="Court", actor=actor_for(coordinator), at=NOON)
    text = client.get(reverse("attachment", args=[incident.reference, 1])).text
    assert "On hold" in text
    assert "Lift the hold" not in text
    for name in ("attachment_hold", "attachment_release"):
        assert client.post(reverse(name, args=[incident.reference, 1]), {"reason": "x"}).status_code == 403


def test_to_outsiders_there_are_no_files(attach: Attach, files: str, outsider: User, client_of: ClientOf) -> None:
    made = attach()
    client = client_of(outsider)
    assert client.get(files).status_code == 404
    assert client.post(files, {"upload": upload()}).status_code == 404
    assert client.get(reverse("attachment", args=[made.incident.reference, 1])).status_code == 404

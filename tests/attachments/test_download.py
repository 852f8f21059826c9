"""Taking a file away: as bytes and nothing else, and written down before the first of them."""

import asyncio
import base64
import hashlib
import os
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock, patch

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import AsyncRequestFactory, Client, RequestFactory
from django.urls import reverse

from runbooks.access.models import AccessRecord, User
from runbooks.attachments.models import Attachment, CustodyEvent
from runbooks.attachments.sending import CHUNK, download
from runbooks.incidents.models import Incident
from tests.attachments.conftest import Attach
from tests.factories import make_incident

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


def address(attachment: Attachment, incident: Incident | None = None) -> str:
    return reverse("attachment_download", args=[(incident or attachment.incident).reference, attachment.number])


def read_events(attachment: Attachment) -> list[tuple[Any, ...]]:
    events = CustodyEvent.objects.filter(attachment=attachment, kind="read").order_by("pk")
    return list(events.values_list("user_id", "name"))


@pytest.mark.parametrize(
    ("name", "content", "disposition"),
    [
        ("page.html", b"<script>alert(document.cookie)</script>", 'attachment; filename="page.html"'),
        ("invoice.pdf", b"<html><script>alert(1)</script>", 'attachment; filename="invoice.pdf"'),
        ("drawing.svg", b"<svg onload='alert(1)'/>", 'attachment; filename="drawing.svg"'),
        ("Übersicht.csv", b"a;b", "attachment; filename*=utf-8''%C3%9Cbersicht.csv"),
        ('a"; filename="b.html', b"x", 'attachment; filename="a\\"; filename=\\"b.html"'),
    ],
)
def test_it_is_handed_over_and_never_shown(
    name: str, content: bytes, disposition: str, attach: Attach, responder: User, client_of: ClientOf
) -> None:
    response = client_of(responder).get(address(attach(content, name)))
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert response.status_code == 200
    assert response.streaming
    assert b"".join(response.streaming_content) == content
    assert response["Content-Disposition"] == disposition
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "no-store" in response["Cache-Control"]
    assert response["Repr-Digest"] == f"sha-256=:{digest}:"
    assert response["Content-Length"] == str(len(content))


@pytest.mark.parametrize("who", ["auditor", "desk", "coordinator"])
def test_each_reading_is_in_the_custody_and_in_the_access_log(
    who: str, attach: Attach, client_of: ClientOf, request: pytest.FixtureRequest
) -> None:
    person: User = request.getfixturevalue(who)
    file = attach()
    client = client_of(person)
    for _ in range(2):
        client.get(address(file), REMOTE_ADDR="192.0.2.7").getvalue()
    assert read_events(file) == [(person.pk, person.name)] * 2
    rows = AccessRecord.objects.values_list("user_id", "name", "role", "incident_id", "kind", "subject", "network")
    row = (person.pk, person.name, person.role, file.incident_id, "file", "File 1: log.txt", "192.0.2.7")
    assert list(rows) == [row, row]


def test_it_is_written_down_before_the_first_byte(attach: Attach, responder: User, client_of: ClientOf) -> None:
    file = attach()
    client = client_of(responder)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'full'; END $$;"
            "CREATE TRIGGER full_disk BEFORE INSERT ON runbooks_accessrecord EXECUTE FUNCTION refuse_all()"
        )
    client.raise_request_exception = False
    response = client.get(address(file))
    assert response.status_code == 500
    assert not response.streaming
    assert read_events(file) == []


def test_head_reads_nothing_and_says_what_there_is(attach: Attach, responder: User, client_of: ClientOf) -> None:
    file = attach(b"12345")
    response = client_of(responder).head(address(file))
    assert (response.status_code, response.content, response["Content-Length"]) == (200, b"", "5")
    assert response["Content-Disposition"] == 'attachment; filename="log.txt"'
    assert response["Repr-Digest"].startswith("sha-256=:")
    assert read_events(file) == []
    assert not AccessRecord.objects.exists()


def test_to_outsiders_there_is_none_and_nothing_is_written_down(
    attach: Attach, outsider: User, administrator: User, client_of: ClientOf
) -> None:
    file = attach()
    elsewhere = make_incident(lead=outsider)
    for person in (outsider, administrator):
        assert client_of(person).get(address(file)).status_code == 404
    assert client_of(outsider).get(address(file, elsewhere)).status_code == 404
    assert client_of(outsider).head(address(file)).status_code == 404
    assert read_events(file) == []
    assert not AccessRecord.objects.exists()


def test_what_the_storage_lost_is_not_found_and_nobody_had_it(
    attach: Attach, responder: User, client_of: ClientOf
) -> None:
    file = attach()
    default_storage.delete(file.stored.name)
    assert client_of(responder).get(address(file)).status_code == 404
    assert read_events(file) == []


def test_what_cannot_be_written_down_is_not_handed_over_nor_left_open(attach: Attach) -> None:
    stored = attach().stored
    content, lost = default_storage.open(stored.name), Mock(side_effect=RuntimeError("no room"))
    with patch.object(default_storage, "open", return_value=content), pytest.raises(RuntimeError, match="no room"):
        download(RequestFactory().get("/"), stored.name, "a.bin", stored.sha256, lost)
    assert content.closed


def test_a_part_of_it_is_not_served(attach: Attach, responder: User, client_of: ClientOf) -> None:
    response = client_of(responder).get(address(attach(b"12345")), headers={"range": "bytes=0-1"})
    assert (response.status_code, b"".join(response.streaming_content)) == (200, b"12345")


def test_the_download_can_only_be_fetched(attach: Attach, responder: User, client_of: ClientOf) -> None:
    file = attach()
    assert client_of(responder).post(address(file)).status_code == 405
    assert read_events(file) == []


def test_an_asynchronous_server_is_given_it_part_by_part_as_well(attach: Attach) -> None:
    content = os.urandom(700_000)
    stored = attach(content, "a.bin").stored
    request, noted = AsyncRequestFactory().get("/"), Mock()
    response = download(request, stored.name, "a.bin", stored.sha256, noted)
    noted.assert_called_once_with()

    async def parts() -> list[bytes]:
        return [part async for part in response]

    assert isinstance(response, StreamingHttpResponse)
    assert response.is_async
    found = asyncio.run(parts())
    assert b"".join(found) == content
    assert max(len(part) for part in found) == CHUNK
    assert response["Content-Length"] == "700000"
    assert response["Content-Disposition"] == 'attachment; filename="a.bin"'
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    response.close()

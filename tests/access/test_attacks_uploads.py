"""Files and requests made to be shown, to lead elsewhere, to fill the disk, or to keep the portal busy."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django.fixtures import Settings

from runbooks.access.models import User
from runbooks.affected_accounts.queries.lists import find_accounts
from runbooks.containment.models import Evidence
from runbooks.directory.models import DirectoryImport
from runbooks.timeline.models import TimelineEvent
from tests.access.rooms import Room, make_room
from tests.access.traces import differences, rows

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def room(coordinator: User) -> Room:
    return make_room(lead=coordinator)


@pytest.fixture
def attacker(room: Room, coordinator: User, client_of: ClientOf) -> Client:
    return client_of(coordinator)


def kept_files(settings: Settings) -> set[Path]:
    return {path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [
        ("page.html", "text/html", b"<script>alert(1)</script>"),
        ("drawing.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("style.css", "text/css", b"*{display:none}"),
        ("script.js", "text/javascript", b"alert(1)"),
        ("none", "text/html", b"\x00\x01\xff<html>"),
        ("form.pdf", "application/pdf", b"%PDF-1.7"),
    ],
)
def test_a_file_comes_back_as_bytes_to_keep_and_never_as_a_page(
    name: str, kind: str, content: bytes, room: Room, attacker: Client
) -> None:
    attacker.post(room.address("step_evidence"), {"upload": SimpleUploadedFile(name, content, kind), "version": "1"})
    file = Evidence.objects.order_by("-pk")[0]
    assert file.file_name == name
    response = attacker.get(room.address("step_evidence_file", evidence_id=file.pk))
    assert b"".join(response.streaming_content) == content
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"].startswith("attachment;")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    "name",
    ["../../../etc/cron.d/x", "/etc/passwd", "..\\..\\x.exe", "a\x00.html", "a\r\nSet-Cookie: x=1", "...", "CON"],
)
def test_no_name_of_a_file_leads_out_of_the_storage_or_out_of_a_header(
    name: str, room: Room, attacker: Client, settings: Settings
) -> None:
    before, upload = kept_files(settings), SimpleUploadedFile("x", b"content")
    upload._name = name  # SimpleUploadedFile would clean it, an attacker does not
    attacker.post(room.address("step_evidence"), {"upload": upload, "version": "1"})
    attacker.post(room.address("accounts_import"), {"file": SimpleUploadedFile(f"x{name}"[-50:], b"somebody else")})
    for path in kept_files(settings) - before:
        assert re.fullmatch(r"[0-9a-f]{32,64}(_\w+)?(\.txt)?", path.name)
        assert Path(settings.MEDIA_ROOT) in path.resolve().parents
    for file in Evidence.objects.filter(kind="file"):
        response = attacker.get(room.address("step_evidence_file", evidence_id=file.pk))
        assert "Set-Cookie" not in response.headers
        assert not {"/", "\r", "\n", "\0"} & set(response["Content-Disposition"].partition("=")[2])
        assert b"".join(response.streaming_content)


@pytest.mark.parametrize(("content", "status"), [(b"", 400), (b"x" * 101, 413)])
def test_an_empty_file_and_one_over_the_cap_leave_nothing(
    content: bytes, status: int, room: Room, attacker: Client, settings: Settings
) -> None:
    settings.ATTACHMENT_MAX_BYTES = 100
    before, files = rows(), kept_files(settings)
    form = {"upload": SimpleUploadedFile("x.txt", content), "note": "", "version": "1"}
    response = attacker.post(room.address("step_evidence"), form)
    assert response.status_code == status
    assert not differences(before)
    assert kept_files(settings) == files


def test_a_directory_over_the_cap_leaves_nothing(room: Room, attacker: Client, settings: Settings) -> None:
    settings.DIRECTORY_FILE_MAX_BYTES = 100
    files, upload = kept_files(settings), SimpleUploadedFile("d.csv", b"mail\n" + b"a@parliament.example\n" * 10)
    response = attacker.post(reverse("directory_import_new"), {"file": upload})
    assert "The file is over" in response.text
    assert kept_files(settings) == files
    assert DirectoryImport.objects.count() == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n \n\t\n",
        b"\x00" * 1000,
        b"a\x00b\n",
        b"x" * 2000,
        b"(" * 1_000_000,
        b"@" * 1_000_000,
        b"a\n" * 100_001,
        b"\xff\xfe" + b"\x00\xd8" * 100,
        b"\x81\x8d" * 50,
        b"PK\x03\x04" + bytes(range(256)) * 20,
    ],
)
def test_what_is_no_list_is_refused_at_once_and_leaves_nothing(
    content: bytes, room: Room, attacker: Client, settings: Settings
) -> None:
    before, files = rows(), kept_files(settings)
    response = attacker.post(room.address("accounts_import"), {"file": SimpleUploadedFile("list.txt", content)})
    assert response.status_code == 400
    assert "There is a problem" in response.text
    assert not differences(before)
    assert kept_files(settings) == files


def test_a_search_of_many_words_stays_one_small_question(db: None) -> None:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert find_accounts("a " * 14) == ()
    assert max(len(query["sql"]) for query in captured) < 20_000


@pytest.mark.parametrize("name", ["incident_declare", "timeline_add", "accounts_import_preview", "account_login"])
def test_a_hundred_thousand_fields_are_refused(name: str, room: Room, attacker: Client) -> None:
    body = "&".join(f"pick-{n}=1" for n in range(100_000))
    before = TimelineEvent.objects.count()
    kind = "application/x-www-form-urlencoded"
    assert attacker.post(room.address(name), body, content_type=kind).status_code == 400
    assert attacker.get(f"{room.address(name)}?{'&'.join('id=1' for _ in range(20_000))}").status_code in {
        200,
        302,
        400,
    }
    assert TimelineEvent.objects.count() == before


def test_a_form_of_several_megabytes_is_refused(room: Room, attacker: Client) -> None:
    response = attacker.post(room.address("timeline_add"), {"summary": "x" * 3_000_000})
    assert response.status_code == 400


@pytest.mark.parametrize("length", [65 * 1024, 10**12])
def test_a_stranger_sends_no_more_than_a_form(length: int) -> None:
    """Refused by what it says of itself: not one byte of it is read."""
    response = Client().post(reverse("account_login"), b"x", content_type="text/plain", CONTENT_LENGTH=str(length))
    assert response.status_code == 413


def test_nobody_sends_more_than_the_largest_file(attacker: Client, settings: Settings) -> None:
    length = str(settings.REQUEST_MAX_BYTES + 1)
    address = reverse("directory_import_new")
    assert attacker.post(address, b"x", content_type="text/plain", CONTENT_LENGTH=length).status_code == 413
    assert attacker.post(address, b"x", content_type="text/plain", CONTENT_LENGTH="1000000").status_code != 413


def test_no_address_hands_out_what_is_stored(room: Room, attacker: Client) -> None:
    stored = room.file.file.name
    for address in (
        f"/media/{stored}",
        f"/{stored}",
        f"/static/{stored}",
        f"/static/../{stored}",
        f"/static/..%2f{stored}",
    ):
        response = attacker.get(address)
        assert response.status_code in {400, 404}, address
        assert room.mark.encode() not in response.content


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=a", b"--a\r\nContent-Disposition: form-data; name=upload; filename=x\r\n\r\n"),
        ("multipart/form-data; boundary=a", b"--a\r\n" * 1000),
        ("multipart/form-data; boundary=" + "a" * 300, b"--a"),
        ("application/x-www-form-urlencoded; charset=utf-7", b"a=+ADw-"),
        ("application/x-www-form-urlencoded; charset=no-such", b"a=1"),
        ("application/x-www-form-urlencoded", b"%ff%fe=%00&a=%"),
        ("application/json", b"{" * 10_000),
        ("", b"\x00" * 100),
    ],
)
def test_a_broken_body_is_no_error_of_ours(kind: str, body: bytes, room: Room, attacker: Client) -> None:
    before = rows()
    for name in ("step_evidence", "accounts_import", "timeline_add", "incident_edit", "account_login"):
        response = attacker.generic("POST", room.address(name), body, content_type=kind)
        # Signing in answers JSON with JSON.
        assert response.status_code in {302, 400} or name == "account_login", name
        assert response.status_code < 500
    assert not differences(before)

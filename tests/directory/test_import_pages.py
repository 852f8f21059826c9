from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from runbooks.access.models import User
from runbooks.directory.models import Account, DirectoryImport
from tests.directory.institution import load, make_institution, rows

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]

HEADER = "login,display name,mail\n"
TWENTY = "".join(f"p{number}@b.example,Person {number},\n" for number in range(20))


def upload(client: Client, content: bytes | str, name: str = "staff.csv") -> HttpResponse:
    data = content.encode() if isinstance(content, str) else content
    return client.post(reverse("directory_import_new"), {"file": SimpleUploadedFile(name, data)})


def staged(client: Client, content: bytes | str, name: str = "staff.csv") -> DirectoryImport:
    response = upload(client, content, name)
    assert response.status_code == 302
    return DirectoryImport.objects.latest("id")


def page_of(client: Client, imported: DirectoryImport, **query: object) -> HttpResponse:
    response = client.get(reverse("directory_import", args=[imported.pk]), query)
    assert response.status_code == 200
    return response


def post(client: Client, action: str, imported: DirectoryImport, **fields: object) -> str:
    """The page that follows."""
    response = client.post(reverse(f"directory_import_{action}", args=[imported.pk]), fields, follow=True)
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def client(coordinator: User, client_of: SignIn) -> Client:
    return client_of(coordinator)


@pytest.mark.parametrize("role", ["responder", "desk", "communications", "auditor"])
def test_only_coordinators_and_administrators_import(
    role: str, client: Client, request: pytest.FixtureRequest, client_of: SignIn
) -> None:
    imported = staged(client, HEADER + TWENTY)
    other = client_of(request.getfixturevalue(role))
    assert other.get(reverse("directory_imports")).status_code == 403
    assert other.get(reverse("directory_import_new")).status_code == 403
    assert upload(other, HEADER + TWENTY).status_code == 403
    assert other.get(reverse("directory_import", args=[imported.pk])).status_code == 403
    for action in ("columns", "apply", "discard"):
        assert other.post(reverse(f"directory_import_{action}", args=[imported.pk])).status_code == 403
    imported.refresh_from_db()
    assert imported.status == DirectoryImport.Status.STAGED
    assert not Account.objects.exists()


def test_uploading_shows_what_would_happen_and_changes_nothing(client: Client) -> None:
    load(HEADER + TWENTY + "gone@b.example,Gone,\n")
    imported = staged(
        client, HEADER + TWENTY.replace("Person 3,", "Renamed,") + "new@b.example,New,\n,Nobody,\n", "export.csv"
    )
    response = page_of(client, imported)
    assert [(key, count) for key, _, count in response.context["tabs"]] == [
        ("rejected", 1),
        ("gone", 1),
        ("changed", 1),
        ("new", 1),
    ]
    assert "Add 1 account, change 1, mark 1 as gone" in response.content.decode()
    assert "has no login" in response.content.decode()
    assert "gone@b.example" in page_of(client, imported, show="gone").content.decode()
    assert "new@b.example" in page_of(client, imported, show="new").content.decode()
    changed = page_of(client, imported, show="changed").content.decode()
    assert "<del>Person 3</del>" in changed
    assert "Renamed" in changed
    assert not Account.objects.filter(display_name="Renamed").exists()
    assert (imported.file_name, imported.uploaded_by) == ("export.csv", response.wsgi_request.user.name)


def test_long_previews_are_paged(client: Client) -> None:
    imported = staged(client, HEADER + "".join(f"p{number}@b.example,P,\n" for number in range(120)))
    seen, after = [], 0
    while after is not None:
        shown = page_of(client, imported, show="new", after=after).context["shown"]
        seen += [change.login for change in shown.changes]
        after = shown.after
    assert seen == [f"p{number}@b.example" for number in range(120)]
    load(HEADER + "".join(f"q{number}@b.example,P,\n" for number in range(120)))
    seen, after = [], 0
    while after is not None:
        shown = page_of(client, imported, show="gone", after=after).context["shown"]
        seen += [change.login for change in shown.changes]
        after = shown.after
    assert seen == [f"q{number}@b.example" for number in range(120)]


def test_many_rejected_rows_are_paged(client: Client) -> None:
    imported = staged(client, HEADER + TWENTY + ",Nobody,\n" * 120)
    first = page_of(client, imported, show="rejected").context["shown"]
    last = page_of(client, imported, show="rejected", after=100).context["shown"]
    assert (len(first.rejections), first.after) == (50, 50)
    assert [rejection.line for rejection in last.rejections] == list(range(122, 142))
    assert last.after is None


def test_applying_writes_and_lets_go_of_the_file(
    client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    imported = staged(client, HEADER + TWENTY)
    stored = Path(imported.file.path)
    assert stored.is_relative_to(settings.MEDIA_ROOT)
    with django_capture_on_commit_callbacks(execute=True):
        page = post(client, "apply", imported)
    assert "Applied. The directory now holds 20 accounts of this file." in page
    assert Account.objects.count() == 20
    assert not stored.exists()
    imported.refresh_from_db()
    assert imported.status == DirectoryImport.Status.APPLIED
    assert imported.applied_at is not None
    assert imported.counts["new"] == 20


def test_a_second_apply_is_refused(client: Client) -> None:
    imported = staged(client, HEADER + TWENTY)
    post(client, "apply", imported)
    again = client.post(reverse("directory_import_apply", args=[imported.pk]))
    assert again.status_code == 409
    assert "was applied before" in again.content.decode()


def test_discarding_leaves_everything_as_it_was(
    client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    imported = staged(client, HEADER + TWENTY)
    stored = Path(imported.file.path)
    with django_capture_on_commit_callbacks(execute=True):
        post(client, "discard", imported)
    assert not stored.exists()
    assert not Account.objects.exists()
    assert "This file was discarded" in page_of(client, imported).content.decode()


def test_losing_many_needs_the_box_ticked(client: Client) -> None:
    load(HEADER + TWENTY)
    imported = staged(client, HEADER + "p0@b.example,Person 0,\n")
    assert "19 of 20 known accounts are not in this file." in page_of(client, imported).content.decode()
    assert "confirm that" in post(client, "apply", imported)
    assert not Account.objects.filter(gone_at__isnull=False).exists()
    post(client, "apply", imported, allow_gone="1")
    assert Account.objects.filter(gone_at__isnull=False).count() == 19


def test_what_was_shown_is_what_is_applied(client: Client) -> None:
    imported = staged(client, HEADER + TWENTY)
    expected = {f"expected-{name}": count for name, count in page_of(client, imported).context["expected"]}
    load(HEADER + "p0@b.example,Somebody else,\n")
    assert "The directory has changed since this preview" in post(client, "apply", imported, **expected)
    assert rows("display_name") == [("Somebody else",)]
    expected = {f"expected-{name}": count for name, count in page_of(client, imported).context["expected"]}
    assert "Applied." in post(client, "apply", imported, **expected)


def test_columns_are_shown_chosen_and_remembered(client: Client) -> None:
    content = "who;desk;what\nzoe@b.example;Room 1;Clerk\n"
    imported = staged(client, content)
    response = page_of(client, imported)
    assert "No column fills the login" in response.content.decode()
    columns = response.context["columns"]
    assert [(column.name, column.samples) for column in columns] == [
        ("who", "zoe@b.example"),
        ("desk", "Room 1"),
        ("what", "Clerk"),
    ]
    place = {column.name: f"column-{column.position}" for column in columns}
    assert "No column fills the login" in post(client, "columns", imported, **{place["desk"]: "office"})
    post(client, "columns", imported, **{place["who"]: "login", place["desk"]: "office", place["what"]: ""})
    post(client, "apply", imported)
    assert rows("login", "office", "title") == [("zoe@b.example", "Room 1", "")]
    later = staged(client, content.replace("Room 1", "Room 2"))
    assert later.columns == {"who": "login", "desk": "office", "what": ""}
    assert later.counts["changed"] == 1


def test_columns_come_in_the_order_of_the_file_used_ones_first(client: Client) -> None:
    imported = staged(client, "zebra,display name,ant,login\n1,A,2,a@b.example\n")
    columns = page_of(client, imported).context["columns"]
    assert [column.name for column in columns] == ["display name", "login", "zebra", "ant"]


def test_a_broken_file_is_refused_at_the_door(client: Client) -> None:
    response = upload(client, HEADER + 'a@b.example,"A,\n')
    assert response.status_code == 400
    assert "The file breaks at line 2" in response.content.decode()
    assert not DirectoryImport.objects.exists()


@pytest.mark.parametrize("content", ["who\n\x81\n", 'who\n"open\n'])
def test_a_file_whose_columns_nobody_knows_is_read_to_its_end_too(client: Client, content: str) -> None:
    assert upload(client, content.encode("latin-1")).status_code == 400


def test_too_large_missing_and_empty_files_say_so(client: Client, settings: Settings) -> None:
    settings.DIRECTORY_FILE_MAX_BYTES = 10
    assert "The file is over 0 MB" in upload(client, HEADER + TWENTY).content.decode()
    assert "The file is empty" in upload(client, "").content.decode()
    missing = client.post(reverse("directory_import_new"))
    assert "Choose the file" in missing.content.decode()


def test_a_file_that_vanished_from_the_storage_can_only_be_discarded(client: Client) -> None:
    imported = staged(client, HEADER + TWENTY)
    Path(imported.file.path).unlink()
    response = client.get(reverse("directory_import", args=[imported.pk]))
    assert response.status_code == 409
    assert "upload it again" in response.content.decode()
    assert "The file was discarded" in post(client, "discard", imported)


def test_a_large_upload_and_ldif_work_like_small_ones(client: Client, tmp_path: Path) -> None:
    made = make_institution(tmp_path, accounts=9000, affected=10)
    assert made.ldif.stat().st_size > settings.FILE_UPLOAD_MAX_MEMORY_SIZE
    imported = staged(client, made.ldif.read_bytes(), "directory.ldif")
    assert imported.counts["new"] == 9000
    assert imported.counts["passed_over"] == 5
    with CaptureQueriesContext(connection) as queries:
        page_of(client, imported)
    few = staged(client, make_institution(tmp_path, accounts=10, affected=5).ldif.read_bytes(), "directory.ldif")
    with CaptureQueriesContext(connection) as fewer:
        page_of(client, few)
    assert len(queries) == len(fewer)


def test_the_history_is_paged_newest_first(client: Client) -> None:
    for number in range(25):
        load(HEADER + TWENTY, name=f"export {number}.csv")
    response = client.get(reverse("directory_imports"))
    first = [one.file_name for one in response.context["page"].imports]
    assert first == [f"export {number}.csv" for number in range(24, 4, -1)]
    rest = client.get(reverse("directory_imports"), {"before": response.context["page"].before})
    assert [one.file_name for one in rest.context["page"].imports] == [f"export {n}.csv" for n in range(4, -1, -1)]
    assert rest.context["page"].before is None


def test_the_history_begins_empty(client: Client) -> None:
    assert "Nothing was imported yet" in client.get(reverse("directory_imports")).content.decode()


def test_an_import_that_is_not_there_is_not_found(client: Client) -> None:
    assert client.get(reverse("directory_import", args=[1])).status_code == 404
    assert client.post(reverse("directory_import_apply", args=[1])).status_code == 404

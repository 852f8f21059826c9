"""Loading a list in the browser, and settling what it left open."""

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from runbooks.access.models import User
from runbooks.affected_accounts.models import AffectedAccount, AffectedImport, UnresolvedLine
from runbooks.directory.models import Account
from runbooks.directory.names import match_keys
from runbooks.incidents.models import Incident
from tests.factories import make_account

pytestmark = pytest.mark.django_db
Clients = Callable[[User], Client]
LIST = "ann.one@parliament.example\nANN.ONE@PARLIAMENT.EXAMPLE\nTwin, Sam\n<script>alert(1)</script>\n"


def person(stem: str, display_name: str) -> Account:
    login = f"{stem}@parliament.example"
    return make_account(
        login=login, mail=login, display_name=display_name, match_keys=match_keys(login, login, display_name)
    )


@pytest.fixture
def people() -> dict[str, Account]:
    names = {"ann": ("ann.one", "One, Ann"), "sam": ("sam.twin", "Twin, Sam"), "sam2": ("sam.twin2", "Twin, Sam")}
    return {key: person(*name) for key, name in names.items()} | {"nemo": person("c.nemo", "Nemo, Captain")}


def accounts(incident: Incident, rest: str = "") -> str:
    return f"/incidents/{incident.reference}/accounts/{rest}"


def upload(client: Client, incident: Incident, text: str = LIST) -> str:
    file = SimpleUploadedFile("soc.txt", text.encode())
    response = client.post(accounts(incident, "import/"), {"file": file, "text": ""})
    assert response.status_code == 302, response.content.decode()
    address: str = response["Location"]
    return address


def test_an_upload_leads_to_a_preview_that_changes_nothing(
    incident: Incident, responder: User, client_of: Clients, people: dict[str, Account]
) -> None:
    client = client_of(responder)
    page = client.get(upload(client, incident)).content.decode()
    staged = AffectedImport.objects.get()
    assert staged.sha256 in page
    assert "Add 1 account to" in page
    assert "sam.twin2@parliament.example" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert not AffectedAccount.objects.exists()


def test_pasted_lines_are_a_list_too(
    incident: Incident, responder: User, client_of: Clients, people: dict[str, Account]
) -> None:
    response = client_of(responder).post(accounts(incident, "import/"), {"text": "Nemo, Captain"})
    assert response.status_code == 302
    assert AffectedImport.objects.get().file_name == "Pasted list"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": ""}, "Give the list once"),
        ({"text": "a", "file": SimpleUploadedFile("x.txt", b"b")}, "Give the list once"),
        ({"file": SimpleUploadedFile("x.txt", b"\n\n")}, "The list is empty"),
        ({"file": SimpleUploadedFile("x.bin", b"PK\0\0\0\1")}, "no list but a binary file"),
    ],
)
def test_what_is_no_list_is_refused_at_the_form(
    incident: Incident, responder: User, client_of: Clients, given: dict[str, object], said: str
) -> None:
    response = client_of(responder).post(accounts(incident, "import/"), given)
    assert response.status_code == 400
    assert said in response.content.decode()
    assert not AffectedImport.objects.exists()


def test_searching_for_a_line_shows_choices_and_keeps_the_picks(
    incident: Incident, responder: User, client_of: Clients, people: dict[str, Account]
) -> None:
    client = client_of(responder)
    there = upload(client, incident)
    page = client.post(there, {"look": "4", "find-4": "captain", "pick-3": str(people["sam2"].pk)}).content.decode()
    assert f'name="pick-4" value="{people["nemo"].pk}"' in page
    assert f'name="pick-3" value="{people["sam2"].pk}" checked' in page
    assert not AffectedAccount.objects.exists()


def test_applying_adds_matched_and_picked_accounts_and_leads_to_what_is_left(
    incident: Incident, responder: User, client_of: Clients, people: dict[str, Account]
) -> None:
    client = client_of(responder)
    response = client.post(upload(client, incident), {"pick-3": str(people["sam"].pk), "pick-4": ""})
    assert response["Location"] == accounts(incident, "unresolved/")
    assert set(AffectedAccount.objects.values_list("login", flat=True)) == {
        "ann.one@parliament.example",
        "sam.twin@parliament.example",
    }
    assert UnresolvedLine.objects.get().text == "<script>alert(1)</script>"


def test_an_unresolved_line_is_searched_and_settled(
    incident: Incident, responder: User, client_of: Clients, people: dict[str, Account]
) -> None:
    client = client_of(responder)
    client.post(upload(client, incident), {})
    line = UnresolvedLine.objects.get(line_number=4)
    page = client.get(accounts(incident, "unresolved/"), {"line": line.pk, "find": "nemo"}).content.decode()
    assert "2 unresolved lines" in page
    assert f'value="{people["nemo"].pk}"' in page
    there = accounts(incident, f"unresolved/{line.pk}/")
    response = client.post(there, {"account": str(people["nemo"].pk)}, follow=True)
    assert "means c.nemo@parliament.example" in response.content.decode()
    assert AffectedAccount.objects.filter(account=people["nemo"]).exists()


def test_nobody_without_a_reason_is_refused_at_the_line(
    incident: Incident, responder: User, client_of: Clients, people: dict[str, Account]
) -> None:
    client = client_of(responder)
    client.post(upload(client, incident), {})
    line = UnresolvedLine.objects.get(line_number=4)
    there = accounts(incident, f"unresolved/{line.pk}/")
    for given, said in (({"account": "nobody"}, "Say why this line means nobody"), ({}, "Choose the account it means")):
        response = client.post(there, given)
        assert response.status_code == 400
        assert said in response.content.decode()
    client.post(there, {"account": "nobody", "reason": "A test of the form"})
    line.refresh_from_db()
    assert line.settled_reason == "A test of the form"


def test_when_every_line_is_settled_the_page_says_so(incident: Incident, responder: User, client_of: Clients) -> None:
    page = client_of(responder).get(accounts(incident, "unresolved/")).content.decode()
    assert "Every line is settled" in page


def test_desk_and_auditor_read_unresolved_lines_and_cannot_load_or_settle(
    incident: Incident, responder: User, desk: User, auditor: User, client_of: Clients, people: dict[str, Account]
) -> None:
    client = client_of(responder)
    there = upload(client, incident)
    client.post(there, {})
    line = UnresolvedLine.objects.order_by("pk")[0]
    for user in (desk, auditor):
        other = client_of(user)
        page = other.get(accounts(incident, "unresolved/")).content.decode()
        assert line.text in page
        assert "Settle line" not in page
        assert other.get(accounts(incident, "import/")).status_code == 403
        assert other.post(there, {}).status_code == 403
        assert other.post(accounts(incident, f"unresolved/{line.pk}/"), {"account": "1"}).status_code == 403


def test_a_list_of_another_incident_is_not_found(
    incident: Incident, responder: User, outsider: User, client_of: Clients, people: dict[str, Account]
) -> None:
    there = upload(client_of(responder), incident)
    for method in ("get", "post"):
        assert getattr(client_of(outsider), method)(there).status_code == 404

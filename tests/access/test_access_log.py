"""Who read what: what is noted, once, by whom it is read, and that nobody changes it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runbooks.access import reading_log
from runbooks.access.models import AccessRecord, Role, User
from runbooks.access.reading_log import Reader, note_reading
from runbooks.incidents.models import Incident
from tests.access.rooms import Room, make_room
from tests.factories import make_affected, make_incident, make_user

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def log(incident: Incident) -> str:
    return reverse("readings", args=[incident.reference])


def rows(**conditions: Any) -> list[tuple[Any, ...]]:
    found = AccessRecord.objects.filter(**conditions).order_by("pk")
    return list(found.values_list("user__role", "kind", "subject", "incident__reference"))


def note(user: User, incident: Incident | None, kind: str = "file", subject: str = "File 1: a.txt") -> AccessRecord:
    incident_id = incident.pk if incident else None
    return note_reading(
        reader=Reader(user, "192.0.2.1"), incident_id=incident_id, kind=kind, subject=subject, at=timezone.now()
    )


def test_every_page_an_auditor_opens_is_noted(incident: Incident, auditor: User, client_of: ClientOf) -> None:
    client = client_of(auditor)
    reference = incident.reference
    client.get(reverse("timeline", args=[reference]), {"q": "mail"}, REMOTE_ADDR="2001:db8::7")
    client.get(reverse("incident_list"))
    client.get(reverse("steps", args=[reference.lower()]))
    assert rows() == [
        ("auditor", "page", f"/incidents/{reference}/timeline/?q=mail", reference),
        ("auditor", "page", "/incidents/", None),
        ("auditor", "page", f"/incidents/{reference.lower()}/steps/", reference),
    ]
    first = AccessRecord.objects.order_by("pk")[0]
    assert (first.user, first.name, first.network) == (auditor, auditor.name, "2001:db8::7")


def test_a_page_that_fetches_itself_is_one_reading_for_a_while(
    incident: Incident, auditor: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, address = client_of(auditor), reverse("timeline", args=[incident.reference])
    for _ in range(3):
        client.get(address, headers={"x-live": "3", "hx-request": "true"})
    assert len(rows()) == 1
    client.get(address, REMOTE_ADDR="198.51.100.1")
    client.get(f"{address}?lane=contact")
    assert len(rows()) == 3
    monkeypatch.setattr(reading_log, "SAME_READING", timedelta())
    client.get(address)
    assert len(rows()) == 4


def test_what_shows_nothing_is_no_reading(
    incident: Incident, auditor: User, outsider: User, client_of: ClientOf
) -> None:
    elsewhere = make_incident(lead=outsider)
    client = client_of(auditor)
    client.head(reverse("timeline", args=[incident.reference]))
    client.get(reverse("timeline", args=[elsewhere.reference]))
    client.get("/nowhere/")
    client.get(reverse("timeline_print_style", args=[incident.reference]))
    client.get(reverse("directory"))
    client.post(reverse("timeline_add", args=[incident.reference]), {"summary": "x"})
    assert not AccessRecord.objects.exists()


def test_a_refusal_that_shows_the_page_again_is_a_reading(auditor: User, client_of: ClientOf) -> None:
    client_of(auditor).post(reverse("account_change_password"), {"oldpassword": "x"})
    assert rows() == [("auditor", "page", "/account/password/", None)]


@pytest.mark.parametrize("role", [role for role in Role if role != Role.AUDITOR])
def test_ordinary_pages_of_others_are_not_noted_and_cost_nothing(role: Role, client_of: ClientOf) -> None:
    person = make_user(role)
    incident = make_incident(members=(person,))
    client = client_of(person)
    with CaptureQueriesContext(connection) as captured:
        client.get(reverse("timeline", args=[incident.reference]))
        client.get(reverse("incident_list"))
    assert not [query for query in captured if "accessrecord" in query["sql"]]
    assert not AccessRecord.objects.exists()


def test_a_page_without_sign_in_is_read_as_nobody(auditor: User, client_of: ClientOf) -> None:
    assert client_of(auditor).get(reverse("holder_start")).status_code == 200
    assert not AccessRecord.objects.exists()


@pytest.mark.parametrize("who", ["auditor", "responder", "desk", "coordinator"])
def test_the_page_of_an_account_is_noted_whoever_opens_it(
    who: str, incident: Incident, client_of: ClientOf, request: pytest.FixtureRequest
) -> None:
    row = make_affected(incident)
    person: User = request.getfixturevalue(who)
    client = client_of(person)
    for _ in range(2):
        client.get(reverse("account_detail", args=[incident.reference, row.pk]))
    client.head(reverse("account_detail", args=[incident.reference, row.pk]))
    assert rows() == [(person.role, "account", row.login, incident.reference)]


def test_the_same_account_in_two_incidents_is_two_readings(coordinator: User, client_of: ClientOf) -> None:
    first, second = make_incident(lead=coordinator), make_incident(lead=coordinator)
    row = make_affected(first)
    other = make_affected(second, row.account)
    client = client_of(coordinator)
    for incident, one in ((first, row), (second, other)):
        client.get(reverse("account_detail", args=[incident.reference, one.pk]))
    assert [reference for *_, reference in rows()] == [first.reference, second.reference]


def test_a_reading_that_cannot_be_noted_does_not_happen(incident: Incident, auditor: User, client_of: ClientOf) -> None:
    client = client_of(auditor)
    client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'full'; END $$;"
            "CREATE TRIGGER full_disk BEFORE INSERT ON runbooks_accessrecord EXECUTE FUNCTION refuse_all()"
        )
    response = client.get(reverse("timeline", args=[incident.reference]))
    assert response.status_code == 500
    assert incident.title not in response.text


@pytest.mark.parametrize("who", ["auditor", "coordinator"])
def test_auditors_and_coordinators_read_the_log(
    who: str, log: str, incident: Incident, responder: User, client_of: ClientOf, request: pytest.FixtureRequest
) -> None:
    note(responder, incident, subject="File 1: <b>a.txt</b>")
    text = client_of(request.getfixturevalue(who)).get(log).text
    for said in (responder.name, "File 1: &lt;b&gt;a.txt", "192.0.2.1", "Responder"):
        assert said in text


@pytest.mark.parametrize("who", ["responder", "desk", "communications"])
def test_others_do_not(who: str, log: str, client_of: ClientOf, request: pytest.FixtureRequest) -> None:
    assert client_of(request.getfixturevalue(who)).get(log).status_code == 403


def test_nor_does_anybody_outside(log: str, outsider: User, administrator: User, client_of: ClientOf) -> None:
    for person in (outsider, administrator):
        assert client_of(person).get(log).status_code == 404


def test_the_log_holds_this_incident_alone(
    log: str, incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    note(coordinator, make_incident(lead=coordinator), subject="Of another")
    note(coordinator, None, subject="/incidents/")
    assert "Nobody read anything yet" in client_of(coordinator).get(log).text


def test_the_log_is_filtered_and_paged(
    log: str, incident: Incident, coordinator: User, responder: User, desk: User, client_of: ClientOf
) -> None:
    for number in range(103):
        note(responder, incident, subject=f"File {number}: a.txt")
    note(desk, incident, "account", "heron.landed")
    client = client_of(coordinator)
    first = client.get(log).text
    assert ["File 102:" in first, "File 4:" in first, "File 3:" in first] == [True, True, False]
    before = AccessRecord.objects.get(subject="File 4: a.txt").pk
    second = client.get(f"{log}?before={before}").text
    assert ["File 4:" in second, "File 3:" in second, "File 0:" in second] == [False, True, True]
    assert "heron.landed" in client.get(f"{log}?who={desk.pk}").text
    assert "File " not in client.get(f"{log}?kind=account").text.split("<table")[1]
    for nonsense in ("?who=x", "?kind=x", "?before=-1", f"?who={'9' * 18}", f"?before={'9' * 40}", "?before=²"):
        assert client.get(f"{log}{nonsense}").status_code == 200


@pytest.mark.parametrize("many", [1, 60])
def test_its_queries_do_not_grow(
    many: int, log: str, incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    for number in range(many):
        note(coordinator, incident, subject=f"File {number}: a.txt")
    client = client_of(coordinator)
    client.get(log)
    with CaptureQueriesContext(connection) as captured:
        client.get(log)
    assert len(captured) == 10


def test_rows_are_only_added(incident: Incident, responder: User) -> None:
    row = note(responder, incident)
    for change in (row.delete, lambda: AccessRecord.objects.update(name="Nobody")):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_a_very_long_address_is_noted_by_its_beginning(auditor: User, client_of: ClientOf) -> None:
    client_of(auditor).get(f"{reverse('incident_list')}?q={'x' * 2000}")
    assert len(AccessRecord.objects.get().subject) == 400


def test_evidence_of_a_step_is_noted_as_a_file(coordinator: User, client_of: ClientOf) -> None:
    room: Room = make_room(lead=coordinator)
    client_of(coordinator).get(room.address("step_evidence_file")).getvalue()
    name = room.file.file_name
    assert rows() == [("coordinator", "file", f"File 1: {name}", room.incident.reference)]
    attachment = room.incident.attachments.get(number=1)
    assert list(attachment.custody.order_by("pk").values_list("kind", flat=True)) == ["added", "read"]
    client_of(coordinator).head(room.address("step_evidence_file"))
    assert len(rows()) == 1

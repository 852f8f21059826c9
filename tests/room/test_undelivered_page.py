"""All that reached nobody, across the incidents of whoever looks after it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runbooks.access.models import User
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import announce, tell
from tests.factories import make_incident

SignIn = Callable[[User], Client]
Status = Notification.Status
pytestmark = pytest.mark.django_db
PAGE = "/notices/undelivered/"


def failed(incident: Incident, *users: User, number: int = 1) -> None:
    context = {"before": "Open", "after": f"Number {number}", "reason": ""}
    announce(incident, "incident.status_changed", context, at=timezone.now() - timedelta(minutes=number), to=users)
    Notification.objects.filter(status=Status.WAITING).update(status=Status.FAILED, reason="The mail server is full.")


def failed_about_the_portal(user: User) -> Notification:
    tell([user], "contact.tested", {"who": str(user)}, at=timezone.now())
    Notification.objects.filter(incident=None).update(status=Status.FAILED, reason="busy")
    return Notification.objects.get(incident=None)


def people(client: Client, **asked: str) -> list[str]:
    return [one.line.recipient for one in client.get(PAGE, asked).context["notices"]]


def test_a_coordinator_sees_what_failed_in_their_incidents_and_no_others(
    client_of: SignIn, coordinator: User, responder: User, outsider: User, incident: Incident
) -> None:
    elsewhere = make_incident(lead=outsider)
    failed(incident, responder)
    failed(elsewhere, outsider)
    failed_about_the_portal(responder)
    client = client_of(coordinator)
    assert people(client) == [responder.name]
    content = client.get(PAGE).content.decode()
    assert incident.reference in content
    assert elsewhere.reference not in content
    assert "The mail server is full." in content
    assert people(client, incident=elsewhere.reference) == []


def test_an_administrator_sees_what_concerns_the_portal_itself(
    client_of: SignIn, administrator: User, responder: User, incident: Incident
) -> None:
    failed(incident, responder)
    notice = failed_about_the_portal(responder)
    client = client_of(administrator)
    assert people(client) == [responder.name]
    assert people(client, incident="portal") == [responder.name]
    assert incident.reference not in client.get(PAGE).content.decode()
    response = client.post(f"{PAGE}send-again/", follow=True)
    assert "1 notice is on the way again." in response.content.decode()
    notice.refresh_from_db()
    assert notice.status == Status.WAITING
    assert client.post(f"{PAGE}send-again/").status_code == 409


@pytest.mark.parametrize("persona", ["responder", "desk", "communications", "auditor"])
def test_other_roles_see_nothing_of_it(
    client_of: SignIn, incident: Incident, persona: str, request: pytest.FixtureRequest
) -> None:
    client = client_of(request.getfixturevalue(persona))
    assert client.get(PAGE).status_code == 403
    assert client.post(f"{PAGE}send-again/").status_code == 403


def test_a_coordinator_sends_nothing_about_the_portal_again(client_of: SignIn, coordinator: User) -> None:
    failed_about_the_portal(coordinator)
    assert client_of(coordinator).post(f"{PAGE}send-again/").status_code == 403


def test_sending_again_from_here_leads_back_here(
    client_of: SignIn, coordinator: User, responder: User, incident: Incident
) -> None:
    failed(incident, responder)
    notice = Notification.objects.get()
    client = client_of(coordinator)
    one = f"/incidents/{incident.reference}/notices/{notice.pk}/try-again/"
    assert client.post(one, {"next": PAGE}).headers["Location"] == PAGE
    Notification.objects.update(status=Status.FAILED)
    response = client.post(f"/incidents/{incident.reference}/notices/send-again/", {"next": PAGE}, follow=True)
    assert response.redirect_chain == [(PAGE, 302)]
    assert "Everybody was told" in response.content.decode()


def test_pages_follow_each_other_and_queries_do_not_grow(
    client_of: SignIn, coordinator: User, responder: User, desk: User, incident: Incident
) -> None:
    failed(incident, responder)
    client = client_of(coordinator)
    client.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE)
    for number in range(2, 60):
        failed(incident, responder, desk, number=number)
    with CaptureQueriesContext(connection) as many:
        first = client.get(PAGE).context
    assert len(many) == len(few)
    second = client.get(PAGE, {"before": first["next"]}).context
    third = client.get(PAGE, {"before": second["next"]}).context
    assert [len(page["notices"]) for page in (first, second, third)] == [50, 50, 17]
    assert len({one.id for page in (first, second, third) for one in page["notices"]}) == 117

"""A coordinator sees in one look who was told what, when and how, and who was not."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from runbooks.access.models import Role, User
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification, NotificationAttempt
from runbooks.notifications.operations import announce
from runbooks.notifications.queries import undelivered_count
from tests.factories import add_member, make_incident, make_user

SignIn = Callable[[User], Client]
Status = Notification.Status
pytestmark = pytest.mark.django_db


@pytest.fixture
def told(incident: Incident) -> Incident:
    """A status change, announced to the five people who work in the incident."""
    context = {"before": "Open", "after": "Contained", "reason": "<b>All</b> locked"}
    announce(incident, "incident.status_changed", context, at=timezone.now())
    return incident


def address(incident: Incident, rest: str = "") -> str:
    return f"/incidents/{incident.reference}/notices/{rest}"


def fail(user: User, reason: str = "The mail server refused the address: 550 no such mailbox") -> Notification:
    notice = Notification.objects.get(recipient=user)
    Notification.objects.filter(pk=notice.pk).update(status=Status.FAILED, reason=reason, attempts_made=2)
    for _ in range(2):
        NotificationAttempt.objects.create(
            notification=notice,
            at=timezone.now(),
            channel="email",
            address=user.email,
            is_delivered=False,
            reason=reason,
        )
    return notice


def test_a_text_stands_once_with_everybody_it_was_for(client_of: SignIn, coordinator: User, told: Incident) -> None:
    response = client_of(coordinator).get(address(told))
    (text,) = response.context["announced"]
    assert text.what == "Now contained"
    assert len(text.lines) == 5
    content = response.content.decode()
    assert "Why: &lt;b&gt;All&lt;/b&gt; locked" in content
    assert content.count("To check this notice:") == 1


def test_each_state_is_said_in_words(client_of: SignIn, coordinator: User, told: Incident) -> None:
    first, second, third, fourth, fifth = Notification.objects.order_by("recipient__name")
    now = timezone.now()
    states = {
        first: {"status": Status.DELIVERED, "delivered_at": now},
        second: {"reason": "The mail server broke off.", "next_attempt_at": now + timedelta(minutes=3, seconds=30)},
        third: {"status": Status.FAILED, "reason": "The mail server refused the mail: 554 no"},
        fourth: {"status": Status.HELD, "reason": "inside the affected system"},
    }
    for notice, state in states.items():
        Notification.objects.filter(pk=notice.pk).update(**state)
    lines = {line.recipient: line for line in client_of(coordinator).get(address(told)).context["announced"][0].lines}
    said = [lines[notice.recipient.name].status for notice in (first, second, third, fourth, fifth)]
    assert said[0].startswith("Delivered ")
    assert said[1:] == ["Next attempt in 3 min", "Failed", "Held", "Waiting"]
    assert [bool(lines[one.recipient.name].try_again) for one in (first, second, third, fourth, fifth)] == [
        *(False, False),
        *(True, True),
        False,
    ]


def test_what_failed_shows_each_attempt_and_is_sent_again_from_the_page(
    client_of: SignIn, coordinator: User, responder: User, told: Incident
) -> None:
    notice, client = fail(responder), client_of(coordinator)
    content = client.get(address(told)).content.decode()
    assert "2 attempts" in content
    assert "550 no such mailbox" in content
    response = client.post(address(told, f"{notice.pk}/try-again/"), follow=True)
    assert response.redirect_chain == [(address(told), 302)]
    assert f"The notice to {responder} is on its way again." in response.content.decode()
    notice.refresh_from_db()
    assert notice.status == Status.WAITING


def test_a_second_click_on_try_again_is_refused_in_words(
    client_of: SignIn, coordinator: User, responder: User, told: Incident
) -> None:
    notice, client = fail(responder), client_of(coordinator)
    client.post(address(told, f"{notice.pk}/try-again/"))
    response = client.post(address(told, f"{notice.pk}/try-again/"))
    assert response.status_code == 409
    assert "is waiting by now" in response.content.decode()


@pytest.mark.parametrize("persona", ["responder", "desk", "communications", "auditor"])
def test_other_roles_see_what_was_told_but_no_addresses_of_others_and_no_button(
    client_of: SignIn, coordinator: User, told: Incident, persona: str, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(persona)
    notice, client = fail(coordinator), client_of(user)
    if persona != "auditor":
        fail(user)
    content = client.get(address(told)).content.decode()
    assert str(coordinator) in content
    assert coordinator.email not in content
    assert (user.email in content) == (persona != "auditor"), "one's own address is no secret"
    assert "Try again" not in content
    assert client.post(address(told, f"{notice.pk}/try-again/")).status_code == 403


def test_an_outsider_gets_404_everywhere(client_of: SignIn, outsider: User, responder: User, told: Incident) -> None:
    notice, client = fail(responder), client_of(outsider)
    assert client.get(address(told)).status_code == 404
    assert client.post(address(told, f"{notice.pk}/try-again/")).status_code == 404
    notice.refresh_from_db()
    assert notice.status == Status.FAILED


def test_a_link_cannot_send_anything_again(
    client_of: SignIn, coordinator: User, responder: User, told: Incident
) -> None:
    assert client_of(coordinator).get(address(told, f"{fail(responder).pk}/try-again/")).status_code == 405


def test_not_delivered_shows_what_failed_and_what_was_held_back(
    client_of: SignIn, coordinator: User, responder: User, desk: User, told: Incident
) -> None:
    fail(responder)
    Notification.objects.filter(recipient=desk).update(status=Status.HELD, reason="no address on file")
    response = client_of(coordinator).get(address(told), {"show": "undelivered"})
    assert {line.recipient for line in response.context["announced"][0].lines} == {responder.name, desk.name}
    assert [count for _, _, count in response.context["segments"]] == [5, 2, 3, 0]
    assert undelivered_count(told.pk) == 2


def test_pages_follow_each_other_without_a_gap_or_a_repeat(
    client_of: SignIn, coordinator: User, incident: Incident
) -> None:
    for number in range(12):
        for _ in range(2):
            context = {"before": "Open", "after": f"Number {number}", "reason": ""}
            announce(incident, "incident.status_changed", context, at=timezone.now() - timedelta(minutes=number))
    client, seen, before = client_of(coordinator), [], ""
    while True:
        response = client.get(address(incident), {"before": before})
        seen += [(text.what, line.recipient) for text in response.context["announced"] for line in text.lines]
        before = response.context["next"]
        if not before:
            break
    assert len(seen) == len(set(seen)) == 60
    assert [what for what, _ in seen] == [f"Now number {number}" for number in range(12) for _ in range(5)]


@pytest.mark.parametrize("query", ["before=x", "before=20260101T000000000000.x", "show=x"])
def test_nonsense_in_the_address_shows_the_first_page(
    client_of: SignIn, coordinator: User, told: Incident, query: str
) -> None:
    response = client_of(coordinator).get(f"{address(told)}?{query}")
    assert response.status_code == 200
    assert len(response.context["announced"]) == 1


def test_who_was_not_told_stands_before_who_was(
    client_of: SignIn, coordinator: User, responder: User, desk: User, told: Incident
) -> None:
    Notification.objects.update(status=Status.DELIVERED, delivered_at=timezone.now())
    Notification.objects.filter(recipient=desk).update(status=Status.HELD, delivered_at=None, reason="no address")
    Notification.objects.filter(recipient=responder).update(status=Status.FAILED, delivered_at=None, reason="no")
    lines = client_of(coordinator).get(address(told)).context["announced"][0].lines
    assert [line.recipient for line in lines][:2] == [responder.name, desk.name]


def test_a_demonstration_leads_to_the_mail_it_kept(
    client_of: SignIn, coordinator: User, told: Incident, settings: Settings
) -> None:
    for has_sink in (True, False):
        settings.MAIL_SINK = has_sink
        assert ('href="/mail-sink/"' in client_of(coordinator).get(address(told)).content.decode()) is has_sink


def test_another_incidents_notices_are_not_shown(client_of: SignIn, coordinator: User, told: Incident) -> None:
    other = make_incident(lead=coordinator)
    assert "No notices yet" in client_of(coordinator).get(address(other)).content.decode()


def test_queries_do_not_grow_with_notices_and_attempts(client_of: SignIn, coordinator: User, told: Incident) -> None:
    client = client_of(coordinator)
    client.get(address(told))
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(address(told))
    for _ in range(60):
        add_member(told, make_user(Role.RESPONDER))
    announce(told, "incident.status_changed", {"before": "A", "after": "B", "reason": ""}, at=timezone.now())
    NotificationAttempt.objects.bulk_create(
        NotificationAttempt(notification=notice, at=timezone.now(), channel="email", is_delivered=False, reason="busy")
        for notice in Notification.objects.all()
    )
    with CaptureQueriesContext(connection) as many:
        client.get(address(told))
    assert len(many) == len(few)

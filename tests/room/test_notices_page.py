"""A coordinator sees in one look who was told what, when and how, and who was not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from runbooks.access.models import Membership, Role, User
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification, NotificationAttempt
from runbooks.notifications.operations import announce
from runbooks.notifications.queries import undelivered_count
from runbooks.room.views.notice_lines import Line
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


def attempt_of(notice: Notification, **changes: Any) -> NotificationAttempt:
    fields = {"at": timezone.now(), "channel": "email", "address": notice.recipient.email, "is_delivered": False}
    return NotificationAttempt.objects.create(notification=notice, **{**fields, **changes})


def fail(user: User, reason: str = "The mail server refused the address: 550 no such mailbox") -> Notification:
    notice = Notification.objects.get(recipient=user)
    Notification.objects.filter(pk=notice.pk).update(status=Status.FAILED, reason=reason, attempts_made=2)
    for _ in range(2):
        attempt_of(notice, reason=reason)
    return notice


def test_a_text_stands_once_with_everybody_it_was_for(client_of: SignIn, coordinator: User, told: Incident) -> None:
    response = client_of(coordinator).get(address(told))
    (text,) = response.context["announced"]
    assert text.what == "Now contained"
    assert len(text.lines) == 5
    content = response.content.decode()
    assert "Why: &lt;b&gt;All&lt;/b&gt; locked" in content
    assert content.count("To check this notice:") == 1


def states_of(client: Client, incident: Incident, **asked: str) -> dict[str, Line]:
    """{person: their line}, of the page's first text."""
    (text, *_) = client.get(address(incident), asked).context["announced"]
    return {line.recipient: line for line in text.lines}


def change(user: User, **state: Any) -> Notification:
    Notification.objects.filter(recipient=user).update(**state)
    return Notification.objects.get(recipient=user)


def test_each_state_is_said_in_words(
    client_of: SignIn,
    coordinator: User,
    approver: User,
    responder: User,
    desk: User,
    communications: User,
    told: Incident,
) -> None:
    now = timezone.now()
    change(approver, status=Status.DELIVERED, delivered_at=now)
    change(responder, reason="The mail server broke off.", next_attempt_at=now + timedelta(minutes=3, seconds=30))
    change(desk, status=Status.FAILED, reason="The mail server refused the mail: 554 no")
    change(communications, status=Status.DROPPED, reason="too old to be of use")
    change(coordinator, status=Status.DELIVERED, delivered_at=now, acknowledged_at=now)
    found = states_of(client_of(coordinator), told)
    assert found[approver.name].state.startswith("Told ")
    assert (found[responder.name].state, found[responder.name].said) == (
        "Leaves in 3 min",
        ["Before: The mail server broke off."],
    )
    assert (found[desk.name].state, found[desk.name].said) == (
        "Not reached",
        ["The mail server refused the mail: 554 no"],
    )
    assert (found[communications.name].state, found[communications.name].said) == (
        "Not needed any more",
        ["Too old to be of use"],
    )
    assert found[coordinator.name].state.startswith("Answered ")
    assert [said.partition(" ")[0] for said in found[coordinator.name].said] == ["Told"]


def test_the_figures_count_everybody_once(
    client_of: SignIn, coordinator: User, approver: User, responder: User, desk: User, told: Incident
) -> None:
    now = timezone.now()
    change(approver, status=Status.DELIVERED, delivered_at=now)
    change(responder, status=Status.HELD, reason="no address on file", reason_code="no_address")
    change(desk, acknowledged_at=now, status=Status.DROPPED)
    response = client_of(coordinator).get(address(told))
    figures = {figure.label: figure.count for figure in response.context["figures"]}
    assert figures == {"Not reached": 1, "Being told": 2, "Told": 1, "Answered": 1, "Not needed any more": 0}
    assert response.context["total"] == 5


def test_who_was_not_reached_is_named_first_with_the_reason_and_the_mend(
    client_of: SignIn, coordinator: User, responder: User, told: Incident
) -> None:
    responder.telephone = "+44 7700 900123"
    responder.save()
    change(responder, status=Status.HELD, reason="no address on file", reason_code="no_address")
    content = client_of(coordinator).get(address(told)).content.decode()
    assert "Who was not reached" in content
    assert "No address on file." in content
    assert "They add a contact point, or an administrator enters an address." in content
    assert "tel:+44 7700 900123" in content
    assert "Nobody is left out" not in content
    assert "tel:" not in client_of(responder).get(address(told)).content.decode()


def test_where_everybody_was_reached_the_page_says_so(client_of: SignIn, coordinator: User, told: Incident) -> None:
    assert "Nobody is left out" in client_of(coordinator).get(address(told)).content.decode()


def test_who_left_since_is_to_be_set_aside(
    client_of: SignIn, coordinator: User, responder: User, told: Incident
) -> None:
    change(responder, status=Status.FAILED, reason="busy")
    Membership.objects.filter(user=responder).update(ended_at=timezone.now())
    content = client_of(coordinator).get(address(told)).content.decode()
    assert "They are not in the incident any more" in content


def test_the_next_way_of_an_important_notice_is_said_before_it_goes(
    client_of: SignIn, coordinator: User, responder: User, told: Incident
) -> None:
    now = timezone.now()
    places = [{"point": None, "channel": name, "wait": 300} for name in ("email", "text", "slack")]
    change(
        responder,
        importance="important",
        route=places,
        position=1,
        delivered_at=now,
        next_attempt_at=now + timedelta(minutes=4, seconds=30),
    )
    line = states_of(client_of(coordinator), told)[responder.name]
    assert line.said == ["Goes by text message in 4 min unless answered"]
    change(responder, position=2)
    assert states_of(client_of(coordinator), told)[responder.name].said == ["Goes by Slack in 4 min unless answered"]


def test_quiet_hours_are_named_as_what_is_waited_for(
    client_of: SignIn, coordinator: User, responder: User, told: Incident
) -> None:
    change(responder, next_attempt_at=timezone.now() + timedelta(hours=5))
    (said,) = states_of(client_of(coordinator), told)[responder.name].said
    assert said.startswith("Waits for the end of quiet hours, ")


def test_what_travels_in_one_message_says_with_how_many(
    client_of: SignIn, coordinator: User, responder: User, incident: Incident
) -> None:
    for number in range(3):
        context = {"before": "Open", "after": f"Number {number}", "reason": ""}
        announce(incident, "incident.status_changed", context, at=timezone.now(), to=[responder])
    carrier, *others = Notification.objects.order_by("created_at")
    Notification.objects.filter(pk__in=[one.pk for one in others]).update(carried_by=carrier)
    attempt_of(carrier, is_delivered=True)
    texts = client_of(coordinator).get(address(incident)).context["announced"]
    assert [text.lines[0].said for text in texts] == [["In one message with 2 others"]] * 3
    assert [len(text.lines[0].tried) for text in texts] == [1] * 3, "the attempt is the carrier's"


def test_what_the_provider_told_later_is_shown(
    client_of: SignIn, coordinator: User, responder: User, told: Incident
) -> None:
    notice = change(responder, status=Status.DELIVERED, delivered_at=timezone.now())
    attempt_of(notice, is_delivered=True, outcome="bounced", outcome_at=timezone.now())
    line = states_of(client_of(coordinator), told)[responder.name]
    assert line.said[0].startswith("The provider said ")
    assert line.said[0].endswith(": bounced")
    assert line.by == f"E-mail to {responder.email}"


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
    assert "Send again" not in content
    assert "Told another way" not in content
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


@pytest.mark.parametrize("query", ["before=x", "before=20260101T000000000000.x", "show=x", "who=x", "event=x"])
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


def test_the_list_is_narrowed_to_a_state_a_person_and_an_event(
    client_of: SignIn, coordinator: User, responder: User, desk: User, told: Incident
) -> None:
    announce(told, "member.added", {"who": str(desk)}, at=timezone.now(), to=[desk])
    client = client_of(coordinator)

    def shown(**asked: object) -> set[tuple[str, str]]:
        texts = client.get(address(told), asked).context["announced"]
        return {(text.what.partition(" ")[0], line.recipient) for text in texts for line in text.lines}

    assert shown(who=desk.pk) == {("Now", desk.name), ("You", desk.name)}
    assert shown(event="member.added") == {("You", desk.name)}
    fail(responder)
    assert shown(show="undelivered") == {("Now", responder.name)}
    assert shown(show="undelivered", who=desk.pk) == set()
    assert len(shown(show="waiting")) == 5


def test_all_that_failed_is_sent_again_with_one_press(
    client_of: SignIn, coordinator: User, responder: User, desk: User, told: Incident
) -> None:
    fail(responder)
    fail(desk)
    response = client_of(coordinator).post(address(told, "send-again/"), follow=True)
    assert response.redirect_chain == [(address(told), 302)]
    assert "2 notices are on their way again." in response.content.decode()
    assert not undelivered_count(told.pk)


def test_only_what_failed_for_one_person_is_sent_again(
    client_of: SignIn, coordinator: User, responder: User, desk: User, told: Incident
) -> None:
    fail(responder)
    fail(desk)
    client_of(coordinator).post(address(told, "send-again/"), {"recipient": responder.pk})
    assert undelivered_count(told.pk) == 1
    assert Notification.objects.get(recipient=desk).status == Status.FAILED


def test_who_was_told_by_telephone_is_noted_and_counts_no_more(
    client_of: SignIn, coordinator: User, responder: User, told: Incident
) -> None:
    fail(responder)
    client = client_of(coordinator)
    client.post(address(told, "settle/"), {"recipient": responder.pk, "how": "By telephone, 04:20"})
    assert not undelivered_count(told.pk)
    line = states_of(client, told)[responder.name]
    assert line.state == "Not needed any more"
    assert line.said == [f"Told another way, says {coordinator}: By telephone, 04:20"]
    for form in ({"recipient": "x", "how": "a"}, {"recipient": responder.pk, "how": " "}):
        assert client.post(address(told, "settle/"), form).status_code in {400, 404}


@pytest.mark.parametrize("persona", ["responder", "desk", "communications", "auditor"])
def test_other_roles_may_neither_send_again_nor_settle(
    client_of: SignIn, told: Incident, persona: str, request: pytest.FixtureRequest
) -> None:
    client = client_of(request.getfixturevalue(persona))
    assert client.post(address(told, "send-again/")).status_code == 403
    assert client.post(address(told, "settle/"), {"recipient": "1", "how": "a"}).status_code == 403


def test_every_page_of_the_room_says_that_something_is_undelivered(
    client_of: SignIn, coordinator: User, desk: User, responder: User, told: Incident
) -> None:
    fail(responder)
    for user in (coordinator, desk):
        for tab in ("", "steps/", "timeline/", "people/", "notices/"):
            content = client_of(user).get(f"/incidents/{told.reference}/{tab}").content.decode()
            assert "1 notice not delivered" in content, tab
    change(responder, acknowledged_at=timezone.now())
    assert "not delivered" not in client_of(coordinator).get(f"/incidents/{told.reference}/steps/").content.decode()


def test_the_mark_on_every_page_costs_no_query(client_of: SignIn, coordinator: User, told: Incident) -> None:
    client, page = client_of(coordinator), f"/incidents/{told.reference}/steps/"
    client.get(page)
    with CaptureQueriesContext(connection) as none:
        client.get(page)
    Notification.objects.update(status=Status.HELD)
    with CaptureQueriesContext(connection) as some:
        client.get(page)
    assert len(some) == len(none)

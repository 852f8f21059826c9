"""The page on which everybody says how they are reached."""

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from runbooks.access.models import User
from runbooks.contacts.models import ContactCode, ContactPoint, ContactPreferences, ContactRule
from runbooks.notifications.models import Notification, NotificationAttempt
from tests.contacts.people import make_point, make_rules
from tests.notifications.codes import code_in_mail, send_codes
from tests.notifications.conftest import Sink
from tests.notifications.making import deliver_at

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
PAGE = "/contact-points/"
ADD = f"{PAGE}add/"
NEW = {"point-channel": "email", "point-address": "me@elsewhere.example"}


@pytest.fixture
def client(responder: User, client_of: ClientOf) -> Client:
    return client_of(responder)


def plain(text: str) -> str:
    """What a reader sees, marks left out."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_everybody_reaches_it_from_the_menu_under_their_name(auditor: User, client_of: ClientOf) -> None:
    page = client_of(auditor).get("/incidents/")
    assert f'href="{PAGE}">How you are reached' in page.text
    assert client_of(auditor).get(PAGE).status_code == 200


def test_without_a_verified_way_the_page_says_where_notices_go(client: Client, responder: User) -> None:
    text = plain(client.get(PAGE).text)
    assert f"None of your ways is verified. Until one is, notices go to {responder.email}" in text


def test_with_nothing_at_all_the_page_says_so(client: Client, responder: User) -> None:
    responder.email = ""
    responder.save()
    assert "Nothing reaches you." in plain(client.get(PAGE).text)


def test_a_way_is_added_its_code_sent_and_typed_in(client: Client, responder: User) -> None:
    response = client.post(ADD, NEW)
    point = ContactPoint.objects.get()
    assert response["Location"] == f"{PAGE}#point-{point.pk}"
    waiting = client.get(PAGE).text
    assert "The code is being sent" in waiting
    assert f'hx-get="{PAGE}{point.pk}/"' in waiting
    assert "Code of six digits" not in waiting
    send_codes(timezone.now())
    sent = client.get(PAGE).text
    assert "Code sent. It is good until" in sent
    assert "hx-get" not in sent
    assert 'autocomplete="one-time-code"' in sent
    client.post(f"{PAGE}{point.pk}/code/", {"code": code_in_mail("me@elsewhere.example")})
    assert "Verified" in client.get(PAGE).text
    assert "None of your ways" not in client.get(PAGE).text


def test_a_wrong_code_says_so_at_the_field(client: Client) -> None:
    client.post(ADD, NEW)
    send_codes(timezone.now())
    point = ContactPoint.objects.get()
    right = code_in_mail("me@elsewhere.example")
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    response = client.post(f"{PAGE}{point.pk}/code/", {"code": wrong})
    assert response.status_code == 400
    assert "That is not the code. Look at the newest message. Tries left: 4." in response.text
    assert 'aria-invalid="true"' in response.text
    assert wrong not in response.text


def test_a_code_that_was_not_sent_says_why(client: Client, smtp_down: Sink) -> None:
    client.post(ADD, NEW)
    send_codes(timezone.now())
    text = plain(client.get(PAGE).text)
    assert "No code was sent: " in text
    assert "mail server" in text
    assert "Send a new code" in text


def test_the_line_that_is_asked_for_again_is_a_part_of_the_page(client: Client) -> None:
    client.post(ADD, NEW)
    point = ContactPoint.objects.get()
    part = client.get(f"{PAGE}{point.pk}/", headers={"HX-Request": "true"}).text
    assert part.startswith("<li")
    assert "hx-get" in part
    assert client.get(f"{PAGE}{point.pk}/").status_code == 302
    assert client.get(f"{PAGE}{uuid4()}/", headers={"HX-Request": "true"}).status_code == 404


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"point-channel": "email", "point-address": "nonsense"}, "Address:"),
        ({"point-channel": "pigeon", "point-address": "me@elsewhere.example"}, "By:"),
        ({"point-channel": "email", "point-address": "me@parliament.example"}, "belongs to the institution"),
        ({}, "This field is required"),
    ],
)
def test_a_refused_way_says_what_is_wrong_and_keeps_what_was_typed(
    typed: dict[str, str], words: str, client: Client
) -> None:
    response = client.post(ADD, typed)
    assert response.status_code == 400
    assert words in response.text
    assert f'value="{typed.get("point-address", "")}"' in response.text or not typed
    assert not ContactPoint.objects.exists()


def test_too_many_codes_are_refused_and_nothing_is_added(client: Client) -> None:
    for number in range(5):
        client.post(ADD, {**NEW, "point-address": f"p{number}@elsewhere.example"})
    response = client.post(ADD, NEW)
    assert response.status_code == 429
    assert "within an hour 5 leave for one person and 3 to one address" in response.text
    assert ContactPoint.objects.count() == 5


def test_only_channels_that_the_site_can_send_by_are_offered(client: Client, settings: Settings) -> None:
    settings.NOTICE_CHANNELS = ["email", "webhook"]
    page = client.get(PAGE).text
    assert '<option value="email">' in page
    assert '<option value="webhook">' in page
    assert '<option value="text">' not in page


def test_a_secret_is_shown_once_and_addresses_of_webhooks_are_masked(client: Client, settings: Settings) -> None:
    settings.NOTICE_CHANNELS = ["email", "webhook"]
    response = client.post(ADD, {"point-channel": "webhook", "point-address": "https://hooks.example.org/s3cret"})
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", response.text)
    assert response.status_code == 200
    assert secret
    assert "no-store" in response["Cache-Control"]
    page = client.get(PAGE).text
    assert "whsec_" not in page
    assert "s3cret" not in page
    assert "https://hooks.example.org/…" in page


def test_a_way_is_taken_out_and_put_back(client: Client, responder: User) -> None:
    point = make_point(responder, "email", "me@elsewhere.example")
    client.post(f"{PAGE}{point.pk}/end/")
    page = client.get(PAGE).text
    assert "Taken out within the last hour" in page
    client.post(f"{PAGE}{point.pk}/restore/")
    assert "Taken out within the last hour" not in client.get(PAGE).text
    assert ContactPoint.objects.get().ended_at is None


def test_what_can_not_be_put_back_any_more_is_not_offered(client: Client, responder: User) -> None:
    make_point(responder, "email", "a@b.example", ended_at=timezone.now() - timedelta(minutes=61))
    make_point(responder, "email", "c@d.example", ended_at=timezone.now(), verified_at=None)
    assert "Taken out" not in client.get(PAGE).text


# Tests that somebody asks for


def test_a_test_tells_how_it_went(client: Client, responder: User, smtp: Sink) -> None:
    point = make_point(responder, "email", "me@elsewhere.example")
    client.post(f"{PAGE}{point.pk}/test/")
    assert "Test on its way" in client.get(PAGE).text
    deliver_at(timezone.now())
    page = plain(client.get(PAGE).text)
    assert "Test taken by the other side" in page
    assert len(smtp.messages) == 1


def test_a_test_that_was_refused_is_not_called_a_success(client: Client, responder: User, smtp: Sink) -> None:
    smtp.recipient_answers = ["550 no such mailbox"]
    point = make_point(responder, "email", "me@elsewhere.example")
    client.post(f"{PAGE}{point.pk}/test/")
    deliver_at(timezone.now())
    page = plain(client.get(PAGE).text)
    assert "Test not sent: " in page
    assert "no such mailbox" in page
    assert "taken by the other side" not in page
    assert "What did not arrive" in page


def test_a_test_that_is_tried_again_says_why_it_has_not_left(client: Client, responder: User, smtp: Sink) -> None:
    smtp.recipient_answers = ["451 come later"]
    point = make_point(responder, "email", "me@elsewhere.example")
    client.post(f"{PAGE}{point.pk}/test/")
    deliver_at(timezone.now())
    assert "Test not sent yet: " in plain(client.get(PAGE).text)


def test_what_a_provider_told_later_stands_beside_the_test(client: Client, responder: User, smtp: Sink) -> None:
    point = make_point(responder, "email", "me@elsewhere.example")
    client.post(f"{PAGE}{point.pk}/test/")
    deliver_at(timezone.now())
    NotificationAttempt.objects.update(outcome="bounced", outcome_at=timezone.now())
    page = plain(client.get(PAGE).text)
    assert "later told: bounced" in page
    assert "Taken, and then bounced." in page


# What does not work


def test_a_way_that_failed_last_says_so(client: Client, responder: User) -> None:
    make_point(responder, "email", failing_since=timezone.now(), failed_because="The mailbox is gone.")
    assert "Did not arrive last: The mailbox is gone." in client.get(PAGE).text


def test_a_way_inside_the_affected_system_says_so(client: Client, responder: User) -> None:
    make_point(responder, "email", "me@parliament.example")
    assert "Not used: inside the affected system." in client.get(PAGE).text


def test_a_way_by_a_channel_that_is_no_more_says_so(client: Client, responder: User) -> None:
    make_point(responder, "pigeon", "loft")
    page = client.get(PAGE).text
    assert "Not used: the portal is not set up for this channel." in page
    assert "loft" not in page


# Rules


def lines_of(*lines: tuple[ContactPoint, int]) -> dict[str, str]:
    typed = {}
    for number, (point, wait) in enumerate(lines):
        typed |= {f"line-{number}-point": str(point.pk), f"line-{number}-wait": str(wait)}
    return typed


def kept(importance: str = "important") -> list[tuple[object, int]]:
    rows = ContactRule.objects.filter(importance=importance).order_by("position")
    return list(rows.values_list("point_id", "wait_minutes"))


@pytest.fixture
def two(responder: User) -> tuple[ContactPoint, ContactPoint]:
    return make_point(responder, "email", "a@b.example"), make_point(responder, "email", "c@d.example")


def test_the_page_shows_what_the_portal_does_by_itself(client: Client, two: tuple[ContactPoint, ContactPoint]) -> None:
    page = client.get(PAGE).text
    assert "as the portal does by itself" in page
    assert 'name="line-1-wait" value="5"' in page


def test_a_line_is_moved_by_a_button_and_keeps_the_focus(
    client: Client, two: tuple[ContactPoint, ContactPoint]
) -> None:
    one, other = two
    response = client.post(f"{PAGE}rules/important/", {**lines_of((one, 0), (other, 7)), "do": "down-0"})
    assert response["Location"] == f"{PAGE}#important-1"
    assert kept() == [(other.pk, 0), (one.pk, 7)]
    assert re.search(r'value="up-1" id="important-1"', client.get(PAGE).text)
    client.post(f"{PAGE}rules/important/", {**lines_of((other, 0), (one, 7)), "do": "up-1"})
    assert kept() == [(one.pk, 0), (other.pk, 7)]


def test_waits_are_kept_lines_added_and_left_out(client: Client, two: tuple[ContactPoint, ContactPoint]) -> None:
    one, other = two
    address = f"{PAGE}rules/important/"
    client.post(address, {**lines_of((one, 0), (other, 12)), "do": "save"})
    assert kept() == [(one.pk, 0), (other.pk, 12)]
    client.post(address, {**lines_of((one, 0), (other, 12)), "do": "add", "new": str(one.pk)})
    assert kept() == [(one.pk, 0), (other.pk, 12), (one.pk, 5)]
    client.post(address, {**lines_of((one, 0), (other, 12), (one, 5)), "do": "drop-0"})
    assert kept() == [(other.pk, 0), (one.pk, 5)]
    client.post(address, {**lines_of((other, 0), (one, 5)), "do": "standard"})
    assert kept() == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"line-0-point": "x"}, "Choose a contact point"),
        ({"do": "add", "new": ""}, "Choose a contact point"),
        ({"do": "add", "new": str(uuid4())}, "not verified, or was taken out"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_on_the_page(
    typed: dict[str, str], words: str, client: Client, two: tuple[ContactPoint, ContactPoint]
) -> None:
    response = client.post(f"{PAGE}rules/important/", typed)
    assert response.status_code == 400
    assert words in response.text
    assert "Nothing was changed." in response.text


@pytest.mark.parametrize("wait", ["-1", "1441", "soon", "9" * 40, "5.5", "٣"])
def test_a_wait_that_is_none_is_refused(wait: str, client: Client, two: tuple[ContactPoint, ContactPoint]) -> None:
    typed = {**lines_of((two[0], 0), (two[1], 1)), "line-1-wait": wait, "do": "save"}
    assert client.post(f"{PAGE}rules/default/", typed).status_code == 400
    assert not ContactRule.objects.exists()


@pytest.mark.parametrize("do", ["up-0", "down-1", "up-99", "drop-7", "fly-0", "", "up-x", "up-" + "9" * 30])
def test_a_button_that_moves_nothing_changes_no_order(
    do: str, client: Client, two: tuple[ContactPoint, ContactPoint]
) -> None:
    one, other = two
    client.post(f"{PAGE}rules/default/", {**lines_of((one, 0), (other, 3)), "do": do})
    assert kept("default") == [(one.pk, 0), (other.pk, 3)]


def test_there_are_two_rules_and_no_third(client: Client, two: tuple[ContactPoint, ContactPoint]) -> None:
    response = client.post(f"{PAGE}rules/urgent/", {**lines_of((two[0], 0)), "do": "save"})
    assert response.status_code == 400
    assert not ContactRule.objects.exists()


# Quiet hours


def test_quiet_hours_language_and_digest_are_kept(client: Client) -> None:
    typed = {
        "prefer-language": "cy",
        "prefer-time_zone": "Europe/London",
        "prefer-quiet_from": "22:00",
        "prefer-quiet_until": "07:00",
        "prefer-digest_at": "08:30",
    }
    assert client.post(f"{PAGE}preferences/", typed).status_code == 302
    assert ContactPreferences.objects.get().language == "cy"
    page = client.get(PAGE).text
    assert 'value="22:00"' in page
    assert 'value="08:30"' in page


def test_quiet_hours_that_cannot_be_are_refused_at_the_field(client: Client) -> None:
    typed = {"prefer-language": "en-gb", "prefer-time_zone": "Europe/London", "prefer-quiet_from": "22:00"}
    response = client.post(f"{PAGE}preferences/", typed)
    assert response.status_code == 400
    assert "Give both times, or neither for no quiet hours." in response.text
    assert not ContactPreferences.objects.exists()


# What it costs


@pytest.mark.parametrize("points", [2, 12])
def test_queries_do_not_grow_with_points(points: int, client: Client, responder: User) -> None:
    now = timezone.now()
    made = [make_point(responder, "email", f"p{number}@elsewhere.example") for number in range(points)]
    for point in made[: points // 2]:
        point.verified_at = None
        point.save()
        ContactCode.objects.create(point=point, asked_at=now)
    make_rules(responder, "important", *[(point, 1) for point in made[:10]])
    for point in made[points // 2 :]:
        client.post(f"{PAGE}{point.pk}/test/")
    client.get(PAGE)
    with CaptureQueriesContext(connection) as queries:
        client.get(PAGE)
    assert len(queries) == 12


def test_mails_with_codes_are_not_notices(client: Client) -> None:
    client.post(ADD, NEW)
    send_codes(timezone.now())
    assert len(mail.outbox) == 1
    assert not Notification.objects.exists()

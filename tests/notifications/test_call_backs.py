"""Providers' calls: only they can make them, strangers learn nothing, and a pressed 1 says that it was heard."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from anymail.signals import tracking
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from runbooks.notifications import call_backs, tasks
from runbooks.notifications.models import Notification, NotificationAttempt
from runbooks.notifications.operations import outcomes
from runbooks.notifications.views import call_backs as views
from tests.factories import make_user
from tests.notifications.making import make_notice

pytestmark = pytest.mark.django_db
TOKEN = "0123456789abcdef0123456789abcdef"
PORTAL = "https://portal.example"


@pytest.fixture(autouse=True)
def _account(settings: Settings) -> None:
    settings.PORTAL_URL = PORTAL
    settings.TWILIO = {"account": "AC" + "0" * 32, "token": TOKEN}


@pytest.fixture
def notice() -> Notification:
    return make_notice(user=make_user())


def taken(notice: Notification, channel: str, provider_id: str) -> NotificationAttempt:
    return NotificationAttempt.objects.create(
        notification=notice, at=timezone.now(), channel=channel, provider_id=provider_id, is_delivered=True
    )


def signature(url: str, fields: dict[str, str], token: str = TOKEN) -> str:
    said = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()).decode()


def call(url: str, fields: dict[str, str], **headers: str) -> Any:
    client = Client(enforce_csrf_checks=True)
    return client.post(
        url.removeprefix(PORTAL), fields, headers={"X-Twilio-Signature": signature(url, fields), **headers}
    )


# Twilio


def test_the_address_is_signed_and_given_where_the_portal_can_be_called(
    notice: Notification, settings: Settings
) -> None:
    address = call_backs.address_for(notice.pk)
    assert address.startswith(f"{PORTAL}/hooks/notices/twilio/")
    assert call_backs.notice_of(address.split("/")[-2]) == notice.pk
    settings.PORTAL_URL = "http://localhost:8000"
    assert call_backs.address_for(notice.pk) == ""


def test_a_text_that_arrived_is_noted(notice: Notification) -> None:
    attempt = taken(notice, "text", "SM1")
    answer = call(call_backs.address_for(notice.pk), {"MessageSid": "SM1", "MessageStatus": "delivered"})
    assert (answer.status_code, answer.content) == (204, b"")
    attempt.refresh_from_db()
    assert attempt.outcome == "delivered"


def test_a_text_that_did_not_is_noted_with_the_reason(notice: Notification) -> None:
    attempt = taken(notice, "text", "SM1")
    fields = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30005", "To": "+44 ŵ"}
    assert call(call_backs.address_for(notice.pk), fields).status_code == 204
    attempt.refresh_from_db()
    assert attempt.outcome == "bounced"
    assert attempt.reason == "The text message did not arrive: the number is unknown or no longer in use."


@pytest.mark.parametrize(
    ("status", "outcome"), [("completed", "answered"), ("no-answer", "not answered"), ("ringing", "on its way")]
)
def test_a_call_that_was_answered_is_told_from_one_that_was_not(
    notice: Notification, status: str, outcome: str
) -> None:
    attempt = taken(notice, "voice", "CA1")
    assert call(call_backs.address_for(notice.pk), {"CallSid": "CA1", "CallStatus": status}).status_code == 204
    attempt.refresh_from_db()
    assert attempt.outcome == outcome


@pytest.mark.parametrize(("language", "words"), [("en-gb", b"Thank you"), ("cy", b"Diolch")])
def test_a_pressed_1_says_that_its_recipient_has_heard_it(notice: Notification, language: str, words: bytes) -> None:
    Notification.objects.filter(pk=notice.pk).update(language=language)
    answer = call(call_backs.address_for(notice.pk), {"CallSid": "CA1", "CallStatus": "in-progress", "Digits": "1"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/xml")
    assert words in answer.content
    notice.refresh_from_db()
    assert notice.acknowledged_at is not None


@pytest.mark.parametrize("digits", ["", "2", "11", "#"])
def test_any_other_key_says_nothing(notice: Notification, digits: str) -> None:
    answer = call(call_backs.address_for(notice.pk), {"CallSid": "CA1", "Digits": digits})
    assert answer.content == b"<Response/>"
    notice.refresh_from_db()
    assert notice.acknowledged_at is None


@pytest.mark.parametrize("fault", ["none", "another token", "another address", "another field", "another account"])
def test_what_twilio_did_not_sign_is_refused_without_a_word(
    notice: Notification, fault: str, settings: Settings
) -> None:
    attempt, address = taken(notice, "text", "SM1"), call_backs.address_for(notice.pk)
    fields = {"MessageSid": "SM1", "MessageStatus": "failed", "Digits": "1"}
    given = {
        "none": "",
        "another token": signature(address, fields, token="f" * 32),
        "another address": signature(call_backs.address_for(uuid4()), fields),
        "another field": signature(address, {**fields, "MessageStatus": "sent"}),
        "another account": signature(address, fields),
    }[fault]
    if fault == "another account":
        settings.TWILIO = {}
    answer = call(address, fields, **{"X-Twilio-Signature": given})
    assert (answer.status_code, answer.content) == (403, b"")
    attempt.refresh_from_db()
    notice.refresh_from_db()
    assert (attempt.outcome, notice.acknowledged_at) == ("", None)


def test_a_signature_in_another_alphabet_is_none(notice: Notification) -> None:
    assert call(call_backs.address_for(notice.pk), {"x": "y"}, **{"X-Twilio-Signature": "ŵ"}).status_code == 403


@pytest.mark.parametrize("token", ["nonsense", "a:b:c", "0" * 32])
def test_a_notice_that_never_was_is_answered_as_one_that_is(notice: Notification, token: str) -> None:
    fields = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    unknown = call(call_backs.url_of(token), fields)
    known = call(call_backs.address_for(notice.pk), fields)
    gone = call(call_backs.address_for(uuid4()), fields)
    assert {(one.status_code, one.content) for one in (unknown, known, gone)} == {(204, b"")}
    pressed = [
        call(url, {"Digits": "1"}).status_code for url in (call_backs.url_of(token), call_backs.address_for(uuid4()))
    ]
    assert pressed == [200, 200]


def test_an_old_address_says_nothing_any_more(notice: Notification, monkeypatch: pytest.MonkeyPatch) -> None:
    token = call_backs.token_of(notice.pk)
    monkeypatch.setattr(call_backs, "LASTS", timedelta(seconds=-1))
    assert call_backs.notice_of(token) is None


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_nothing_is_told_to_whoever_asks_otherwise(notice: Notification, method: str) -> None:
    path = call_backs.address_for(notice.pk).removeprefix(PORTAL)
    assert getattr(Client(), method)(path).status_code == 405


def test_a_stranger_cannot_send_much(notice: Notification) -> None:
    answer = call(call_backs.address_for(notice.pk), {"MessageSid": "x" * 70_000})
    assert answer.status_code == 413


def test_a_call_that_was_faster_than_the_note_of_what_was_sent_is_looked_at_again(
    notice: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[dict[str, Any]] = []
    monkeypatch.setattr(views, "wake", lambda task, **arguments: woken.append({"task": task, **arguments}))
    call(call_backs.address_for(notice.pk), {"MessageSid": "SM1", "MessageStatus": "delivered"})
    (again,) = woken
    assert again["task"] == "notifications.note_outcome"
    assert (again["provider_id"], again["outcome"], again["notification_id"]) == ("SM1", "delivered", notice.pk.hex)


# Mail


@pytest.fixture
def heard(settings: Settings) -> Iterator[None]:
    """As the portal starts with Postmark for its mail."""
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    settings.ANYMAIL = {"WEBHOOK_SECRET": "hooks:secret", "POSTMARK_SERVER_TOKEN": "x"}
    tracking.connect(views.heard)
    yield
    tracking.disconnect(views.heard)


def post(content: Any, secret: str = "hooks:secret") -> Any:
    sign_in = "Basic " + base64.b64encode(secret.encode()).decode()
    body = content if isinstance(content, str) else json.dumps(content)
    headers = {"Authorization": sign_in}
    client = Client(enforce_csrf_checks=True)
    return client.post("/hooks/notices/mail/", body, content_type="application/json", headers=headers)


def bounce(message_id: str = "m-1") -> dict[str, Any]:
    return {
        "RecordType": "Bounce",
        "Type": "HardBounce",
        "MessageID": message_id,
        "Email": "a@responders.example",
        "BouncedAt": "2026-06-23T08:09:00Z",
        "Description": "SMTP 550 <script>",
    }


@pytest.mark.usefixtures("heard")
def test_a_mail_that_came_back_is_noted_in_our_words(notice: Notification) -> None:
    attempt = taken(notice, "email", "m-1")
    Notification.objects.filter(pk=notice.pk).update(status="delivered", delivered_at=attempt.at)
    assert post(bounce()).status_code == 200
    attempt.refresh_from_db()
    assert (attempt.outcome, attempt.reason) == ("bounced", "The mail came back: the other server refused it.")
    notice.refresh_from_db()
    assert notice.status == Notification.Status.FAILED


@pytest.mark.usefixtures("heard")
def test_a_mail_that_arrived_is_noted(notice: Notification) -> None:
    attempt = taken(notice, "email", "m-1")
    post(
        {
            "RecordType": "Delivery",
            "MessageID": "m-1",
            "Recipient": "a@b.example",
            "DeliveredAt": "2026-06-23T08:09:00Z",
        }
    )
    attempt.refresh_from_db()
    assert attempt.outcome == "delivered"


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("record", ["Open", "Click"])
def test_who_opened_a_mail_is_nobodys_business(notice: Notification, record: str) -> None:
    attempt = taken(notice, "email", "m-1")
    assert post({"RecordType": record, "MessageID": "m-1", "ReceivedAt": "2026-06-23T08:09:00Z"}).status_code == 200
    attempt.refresh_from_db()
    assert attempt.outcome == ""


@pytest.mark.usefixtures("heard")
def test_a_mail_that_nobody_sent_is_answered_alike(notice: Notification) -> None:
    assert post(bounce("no such")).status_code == post(bounce(" ")).status_code == 200


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("secret", ["", "hooks:wrong", "x", "ŵ:ŵ"])
def test_without_the_providers_secret_nothing_is_taken(notice: Notification, secret: str) -> None:
    attempt = taken(notice, "email", "m-1")
    assert post(bounce(), secret).status_code == 403
    attempt.refresh_from_db()
    assert attempt.outcome == ""


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    "content", ["", "{", "[]", '"x"', "null", '{"RecordType": 1}', '{"RecordType": "Bounce"}', "\x00"]
)
def test_nonsense_is_refused_and_breaks_nothing(content: str) -> None:
    assert post(content).status_code in {200, 400}


@pytest.mark.parametrize(
    "backend", ["runbooks.notifications.channels.smtp.Backend", "anymail.backends.test.EmailBackend"]
)
def test_without_a_provider_there_is_no_such_page(backend: str, settings: Settings) -> None:
    settings.EMAIL_BACKEND, settings.ANYMAIL = backend, {"WEBHOOK_SECRET": "hooks:secret"}
    assert post(bounce()).status_code == 404


def test_without_a_secret_there_is_no_such_page(settings: Settings) -> None:
    settings.EMAIL_BACKEND, settings.ANYMAIL = "anymail.backends.postmark.EmailBackend", {}
    assert post(bounce(), "x:y").status_code == 404


def test_every_provider_whose_mail_can_be_sent_can_tell_what_became_of_it() -> None:
    names = ["amazon_ses", "brevo", "mailersend", "mailgun", "mailjet", "mailtrap", "mandrill", "postal", "postmark"]
    for name in [*names, "resend", "sendgrid", "sparkpost", "unisender_go"]:
        assert views.tracking_view(f"anymail.backends.{name}.EmailBackend") is not None, name


def test_every_word_of_the_outcomes_fits_into_its_column() -> None:
    length = NotificationAttempt._meta.get_field("outcome").max_length or 0
    assert all(len(outcome) <= length for outcome in outcomes.Outcome)


@pytest.mark.parametrize(("known_at", "looks"), [(1, 1), (3, 3), (99, tasks.LOOKS + 1)])
def test_a_worker_looks_again_for_a_while_and_then_no_more(
    known_at: int, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def noted(**what: Any) -> bool:
        asked.append(what)
        return len(asked) >= known_at

    monkeypatch.setattr(tasks, "note_outcome", noted)
    what = {"channel": "text", "provider_id": "SM1", "outcome": "delivered", "sentence": "", "notification_id": ""}
    tasks.note_outcome_later.apply(kwargs=what)
    assert len(asked) == looks
    assert asked[0]["outcome"] is outcomes.Outcome.DELIVERED
    assert asked[0]["notification_id"] is None

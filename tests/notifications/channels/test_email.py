"""A mail says who it is from, what it is, and that nobody need answer; refusals are told apart."""

import smtplib

import pytest
from django.core.mail.backends.smtp import EmailBackend
from pytest_django import Settings

from runbooks.notifications.channels import email
from runbooks.notifications.channels.base import ChannelError, Message
from tests.notifications.conftest import Sink

KEY = "0123456789abcdef" * 4


def make_message(**changes: object) -> Message:
    fields = {
        "address": "a@responders.example",
        "subject": "TLP:AMBER IR-2026-0001: now contained",
        "body": "Said “in quotes”.\n",
        "idempotency_key": KEY,
        "is_exercise": False,
    }
    return Message(**{**fields, **changes})


def refused(message: Message) -> ChannelError:
    with pytest.raises(ChannelError) as raised:
        email.send(message)
    return raised.value


def test_a_mail_arrives_whole_with_what_machines_need_to_know(smtp: Sink, settings: Settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "IR Portal <ir@portal.example>"
    email.send(make_message())
    (mail,) = smtp.messages
    assert smtp.recipients == [["a@responders.example"]]
    assert mail["From"] == "IR Portal <ir@portal.example>"
    assert mail["Subject"] == "TLP:AMBER IR-2026-0001: now contained"
    assert mail["Message-ID"] == f"<{KEY[:32]}@portal.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-IR-Portal-Exercise"] is None
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == ["Said “in quotes”."]


def test_a_mail_of_an_exercise_says_so_to_machines_too(smtp: Sink) -> None:
    email.send(make_message(is_exercise=True))
    assert smtp.messages[0]["X-IR-Portal-Exercise"] == "yes"


def test_a_mail_that_is_tried_again_keeps_its_message_id(smtp: Sink) -> None:
    email.send(make_message())
    email.send(make_message())
    assert len({mail["Message-ID"] for mail in smtp.messages}) == 1


@pytest.mark.parametrize(("answer", "permanent"), [("554 no", True), ("451 later", False), ("421 closing", False)])
def test_the_first_figure_of_the_answer_says_whether_to_come_back(smtp: Sink, answer: str, permanent: bool) -> None:
    smtp.answers = [answer]
    error = refused(make_message())
    assert error.permanent is permanent
    assert answer in str(error)


@pytest.mark.parametrize(("answer", "permanent"), [("550 no such mailbox", True), ("450 busy", False)])
def test_the_same_goes_for_the_recipient(smtp: Sink, answer: str, permanent: bool) -> None:
    smtp.recipient_answers = [answer]
    error = refused(make_message())
    assert error.permanent is permanent
    assert str(error) == f"The mail server refused the address: {answer}"


def test_a_server_that_is_not_there_is_tried_again(smtp_down: Sink) -> None:
    error = refused(make_message())
    assert not error.permanent
    assert str(error) == "The mail server cannot be reached: connection refused."


def test_a_line_break_in_a_subject_is_never_sent(smtp: Sink) -> None:
    error = refused(make_message(subject="Now contained\nBcc: everybody@example.org"))
    assert error.permanent
    assert not smtp.messages


@pytest.mark.parametrize(
    ("raised", "permanent"),
    [
        (smtplib.SMTPAuthenticationError(535, b"no"), False),
        (smtplib.SMTPServerDisconnected("gone"), False),
        (smtplib.SMTPNotSupportedError("SMTPUTF8"), True),
        (TimeoutError("timed out"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_trouble_is_told_apart_as_well(
    smtp: Sink, raised: Exception, permanent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise raised

    monkeypatch.setattr(EmailBackend, "send_messages", fail)
    assert refused(make_message()).permanent is permanent


def test_trouble_in_saying_goodbye_does_not_undo_a_delivery(smtp: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    close = EmailBackend.close

    def fail(backend: EmailBackend) -> None:
        close(backend)
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(EmailBackend, "close", fail)
    email.send(make_message())
    assert len(smtp.messages) == 1


@pytest.mark.parametrize(
    ("address", "is_refused"),
    [
        ("a@parlament.example", False),
        ("a@parliament.example.org", False),
        ("a@x.parliament.example", True),
        ('"a@responders.example"@parliament.example', True),
        ("a@häuser.example", True),
        ("a@xn--huser-gra.example", True),
    ],
)
def test_the_affected_domain_is_known_in_every_spelling(address: str, is_refused: bool, settings: Settings) -> None:
    settings.INSTITUTION_MAIL_DOMAINS = ["Parliament.example.", "häuser.example"]
    assert bool(email.refusal(address)) is is_refused

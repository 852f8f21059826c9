"""A mail says who it is from, what it is, and that nobody need answer; refusals are told apart."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.core import mail
from pytest_django import Settings

from runbooks.notifications.channels import email, mails
from runbooks.notifications.channels import smtp as mail_backend
from runbooks.notifications.channels.base import BadAddressError, ChannelError, Message, Reason
from tests.notifications.channels.mail_server import HANG_UP, STALL, MailServer, mail_server
from tests.notifications.conftest import Sink

KEY = "0123456789abcdef" * 4


def make_message(**changes: Any) -> Message:
    fields = {
        "address": "a@responders.example",
        "subject": "TLP:GREEN IR-2026-0001: now contained",
        "body": "Said “in quotes”.\n",
        "key": KEY,
    }
    return Message(**{**fields, **changes})


def refused(message: Message | None = None) -> ChannelError:
    with pytest.raises(ChannelError) as raised:
        email.send(message or make_message())
    assert str(raised.value)[-1] in ".0123456789" or str(raised.value)[-1].isalpha()
    return raised.value


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    settings.EMAIL_BACKEND = "runbooks.notifications.channels.smtp.Backend"
    with mail_server() as made:
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", made.port, 0.4
        yield made


# What arrives


def test_a_mail_arrives_whole_with_what_machines_need_to_know(smtp: Sink, settings: Settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "IR Portal <ir@portal.example>"
    sent = email.send(make_message())
    (arrived,) = smtp.messages
    assert smtp.recipients == [["a@responders.example"]]
    assert arrived["From"] == "IR Portal <ir@portal.example>"
    assert arrived["To"] == "a@responders.example"
    assert arrived["Subject"] == "TLP:GREEN IR-2026-0001: now contained"
    assert arrived["Message-ID"] == sent.provider_id
    assert arrived["Date"].datetime is not None
    assert arrived["Auto-Submitted"] == "auto-generated"
    assert arrived["X-IR-Portal-Exercise"] is None
    assert arrived["Importance"] is None
    assert arrived.get_content_type() == "text/plain"
    assert arrived.get_content().splitlines() == ["Said “in quotes”."]
    assert not arrived.defects


def test_exercises_and_importance_are_said_to_machines_too(smtp: Sink) -> None:
    email.send(make_message(is_exercise=True, is_important=True))
    assert smtp.messages[0]["X-IR-Portal-Exercise"] == "yes"
    assert smtp.messages[0]["Importance"] == "high"


def test_a_mail_that_is_tried_again_keeps_its_message_id_and_another_has_its_own(smtp: Sink) -> None:
    first, again, other = (email.send(make_message(key=key)).provider_id for key in (KEY, KEY, KEY + "1"))
    assert first == again != other
    assert [each["Message-ID"] for each in smtp.messages] == [first, again, other]


def test_one_text_for_many_is_written_out_once(smtp: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, write = [], mails.written
    monkeypatch.setattr("runbooks.notifications.channels.mail_line.written", lambda m: texts.append(m) or write(m))
    with email.line() as line:
        for number in range(20):
            line.send(make_message(address=f"a{number}@responders.example", key=str(number)))
        line.send(make_message(is_exercise=True))
    assert len(texts) == 2
    assert [each["To"] for each in smtp.messages[:20]] == [f"a{number}@responders.example" for number in range(20)]
    assert len({each["Message-ID"] for each in smtp.messages}) == 21
    assert "X-IR-Portal-Exercise" in smtp.messages[-1]


@pytest.mark.parametrize(
    "body",
    [
        ".\n.\n..x\n",
        "line\n.\r\nMAIL FROM:<x@evil.example>\r\n",
        "smuggled\n.\nRCPT TO:<x@evil.example>\nDATA\n",
        "smuggled\r.\rMAIL FROM:<x@evil.example>\r",
        "a" * 5000 + "\n",
        "ŵ" * 3000,
        "Ffaith 🎉 £5\n" * 50,
        "",
        "no line end",
    ],
    ids=range(9),
)
def test_no_body_ends_its_mail_early_or_loses_a_sign(smtp: Sink, body: str) -> None:
    email.send(make_message(body=body))
    (arrived,) = smtp.messages
    assert arrived.get_content().splitlines() == body.splitlines()
    assert smtp.recipients == [["a@responders.example"]]


@pytest.mark.parametrize(
    "subject", ["Neges frys: cyfrif ŵ", "x" * 280, "a: b; c, <d@e.example> =?utf-8?q?f?=", "🎉" * 60, "“" + "y " * 120]
)
def test_every_subject_arrives_as_it_was_said(smtp: Sink, subject: str) -> None:
    email.send(make_message(subject=subject))
    expected = subject.replace("=?utf-8?q?f?=", "f").split()
    assert " ".join(str(smtp.messages[0]["Subject"]).split()) == " ".join(expected)
    assert smtp.messages[0]["Bcc"] is None


# What never leaves


@pytest.mark.parametrize("subject", ["Now\nBcc: everybody@evil.example", "Now\r\n\r\nBody", "Now\rBcc: x@evil.example"])
def test_a_line_break_in_a_subject_is_never_sent(smtp: Sink, subject: str) -> None:
    error = refused(make_message(subject=subject))
    assert (error.permanent, error.reason) == (True, Reason.MESSAGE_REFUSED)
    assert not smtp.messages


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@b",
        "a@localhost",
        "a@[127.0.0.1]",
        "a b@responders.example",
        '"a b"@responders.example',
        '"a@evil.example"@responders.example',
        "a@responders.example\nBcc: b@evil.example",
        "a@responders.example\r\nRCPT TO:<b@evil.example>",
        "a@responders.example, b@evil.example",
        "a@responders.example;b@evil.example",
        "<a@responders.example>",
        "A <a@responders.example>",
        "a@responders.example> SIZE=1",
        "ŵ@responders.example",
        "a\x00@responders.example",
        "a\u202e@responders.example",
        "a@" + "x" * 64 + ".example",
        "a" * 400 + "@responders.example",
    ],
)
def test_what_is_no_address_is_neither_kept_nor_sent_to(smtp: Sink, address: str) -> None:
    with pytest.raises(BadAddressError, match=r"name@example\.org"):
        email.clean(address)
    error = refused(make_message(address=address))
    assert (error.permanent, error.reason) == (True, Reason.ADDRESS_REFUSED)
    assert not smtp.messages


@pytest.mark.parametrize(
    ("written", "kept", "domain"),
    [
        (" A.Person+ir@Responders.Example. ", "A.Person+ir@responders.example", "responders.example"),
        ("a@häuser.example", "a@xn--huser-gra.example", "xn--huser-gra.example"),
        ("a@xn--huser-gra.example", "a@xn--huser-gra.example", "xn--huser-gra.example"),
    ],
)
def test_an_address_has_one_spelling(written: str, kept: str, domain: str) -> None:
    assert email.clean(written) == kept == email.clean(kept)
    assert email.domain_of(written) == domain
    assert email.shown(kept) == kept


# Faults


@pytest.mark.parametrize(
    ("answer", "permanent", "reason"),
    [
        ("554 no", True, Reason.MESSAGE_REFUSED),
        ("552 too large", True, Reason.MESSAGE_REFUSED),
        ("450 later", False, Reason.BUSY),
        ("451 later", False, Reason.BUSY),
        ("452 later", False, Reason.BUSY),
        ("421 closing", False, Reason.BUSY),
    ],
)
def test_the_first_figure_of_the_answer_says_whether_to_come_back(
    smtp: Sink, answer: str, permanent: bool, reason: Reason
) -> None:
    smtp.answers = [answer]
    error = refused()
    assert (error.permanent, error.reason, error.may_have_arrived) == (permanent, reason, False)
    assert str(error) == f"The mail server refused the mail: {answer}"


@pytest.mark.parametrize(
    ("answer", "permanent", "reason"),
    [
        ("550 no such mailbox", True, Reason.ADDRESS_REFUSED),
        ("450 busy", False, Reason.BUSY),
        ("421 closing", False, Reason.BUSY),
        ("530 sign in first", False, Reason.SIGN_IN_REFUSED),
    ],
)
def test_the_same_goes_for_the_recipient(smtp: Sink, answer: str, permanent: bool, reason: Reason) -> None:
    smtp.recipient_answers = [answer]
    error = refused()
    assert (error.permanent, error.reason, error.may_have_arrived) == (permanent, reason, False)
    assert str(error) == f"The mail server refused the address: {answer}"


def test_a_server_that_is_not_there_is_tried_again(smtp_down: Sink) -> None:
    error = refused()
    assert (error.permanent, error.reason) == (False, Reason.UNREACHABLE)
    assert error.is_of_the_channel
    assert str(error) == "The mail server cannot be reached: connection refused."


@pytest.mark.parametrize(
    ("word", "answer", "reason", "permanent"),
    [
        ("GREETING", "554 go away", Reason.SIGN_IN_REFUSED, False),
        ("GREETING", "421 too many", Reason.BUSY, False),
        ("GREETING", HANG_UP, Reason.UNREACHABLE, False),
        ("GREETING", STALL, Reason.TIMED_OUT, False),
        ("MAIL", "550 who are you", Reason.MESSAGE_REFUSED, True),
        ("MAIL", "530 sign in", Reason.SIGN_IN_REFUSED, False),
        ("MAIL", HANG_UP, Reason.UNREACHABLE, False),
        ("RCPT", HANG_UP, Reason.UNREACHABLE, False),
        ("RCPT", STALL, Reason.TIMED_OUT, False),
        ("DATA", "451 not now", Reason.BUSY, False),
        ("DATA", HANG_UP, Reason.UNREACHABLE, False),
    ],
)
def test_a_line_that_ends_before_the_last_dot_carried_nothing(
    server: MailServer, word: str, answer: str, reason: Reason, permanent: bool
) -> None:
    server.answers = {word: [answer]}
    error = refused()
    assert (error.reason, error.permanent, error.may_have_arrived) == (reason, permanent, False)
    assert not server.mails


@pytest.mark.parametrize(("answer", "reason"), [(HANG_UP, Reason.UNREACHABLE), (STALL, Reason.TIMED_OUT)])
def test_a_line_that_ends_after_the_last_dot_may_have_carried_the_mail_and_it_is_not_sent_twice_at_once(
    server: MailServer, answer: str, reason: Reason, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_backend, "VERDICT_SECONDS", 0.4)
    with email.line() as line:
        line.send(make_message())
        server.answers = {".": [answer]}
        with pytest.raises(ChannelError) as caught:
            line.send(make_message(key="2"))
        assert (caught.value.reason, caught.value.permanent, caught.value.may_have_arrived) == (reason, False, True)
        assert str(caught.value).endswith("The mail may have arrived all the same.")
        assert len(server.mails) == 2
        line.send(make_message(key="3"))
    assert (len(server.mails), server.connections) == (3, 2)


def test_a_server_gets_longer_for_its_verdict_than_for_a_word(server: MailServer) -> None:
    assert server.socket.gettimeout() < mail_backend.VERDICT_SECONDS if server.socket.gettimeout() else True
    server.answers = {".": [STALL]}
    smtp_seconds = mail_backend.VERDICT_SECONDS
    assert 10 < smtp_seconds < 45, "a lease spares 45 s for a message"


# One connection


def test_a_line_is_one_connection_whatever_is_refused_on_it(server: MailServer) -> None:
    with email.line() as line:
        for number in range(5):
            server.answers = {"RCPT": ["550 no"]} if number == 2 else {".": ["450 later"]} if number == 3 else {}
            if number in {2, 3}:
                with pytest.raises(ChannelError):
                    line.send(make_message(key=str(number)))
            else:
                line.send(make_message(key=str(number)))
    assert (server.connections, len(server.mails)) == (1, 3)
    assert server.said[-1].upper() == "QUIT"


@pytest.mark.parametrize(
    ("word", "answer"),
    [("MAIL", "421 enough for one connection"), ("MAIL", HANG_UP), ("RCPT", "421 enough"), ("DATA", HANG_UP)],
)
def test_a_server_that_ends_the_line_between_two_mails_is_called_once_more(
    server: MailServer, word: str, answer: str
) -> None:
    with email.line() as line:
        line.send(make_message())
        server.answers = {word: [answer]}
        line.send(make_message(key="2"))
    assert (server.connections, len(server.mails)) == (2, 2)


def test_a_server_that_takes_nobody_is_not_called_again_and_again(server: MailServer) -> None:
    with email.line() as line:
        line.send(make_message())
        server.answers = {"MAIL": ["421 no", "421 no", "421 no"]}
        with pytest.raises(ChannelError) as caught:
            line.send(make_message(key="2"))
    assert caught.value.reason == Reason.BUSY
    assert server.connections == 2


def test_trouble_in_saying_goodbye_does_not_undo_a_delivery(server: MailServer) -> None:
    server.answers = {"QUIT": [HANG_UP]}
    assert email.send(make_message()).provider_id
    assert len(server.mails) == 1


# TLS and signing in


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Signed by itself, for localhost."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    alternative = ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    subprocess.run([*command, *alternative, *files], check=True, capture_output=True)
    return tmp_path / "certificate.pem"


def test_starttls_is_spoken_to_a_server_whose_certificate_is_trusted(
    smtp_down: Sink, certificate: Path, settings: Settings
) -> None:
    with _secured(smtp_down, certificate, settings):
        email.send(make_message())
        assert len(smtp_down.messages) == 1
        settings.EMAIL_CA_FILE = ""
        error = refused()
    assert (error.permanent, error.reason) == (False, Reason.NOT_CONFIGURED)
    assert "certificate of the mail server is refused" in str(error)
    assert len(smtp_down.messages) == 1


def test_a_server_that_does_not_offer_starttls_gets_no_mail_in_clear(smtp: Sink, settings: Settings) -> None:
    settings.EMAIL_USE_TLS = True
    error = refused()
    assert (error.permanent, error.reason) == (False, Reason.NOT_CONFIGURED)
    assert not smtp.messages


def test_a_sign_in_that_is_refused_can_be_mended(smtp: Sink, settings: Settings) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "portal", "hunter2"
    error = refused()
    assert not error.permanent
    assert "hunter2" not in str(error)
    assert not smtp.messages


def _secured(sink: Sink, certificate: Path, settings: Settings) -> "_Secured":
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS, settings.EMAIL_CA_FILE = "localhost", True, str(certificate)
    return _Secured(sink, certificate)


class _Secured:
    def __init__(self, sink: Sink, certificate: Path) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, certificate.with_name("key.pem"))
        self._controller = Controller(
            sink, hostname="127.0.0.1", port=sink.port, tls_context=context, require_starttls=True
        )

    def __enter__(self) -> None:
        self._controller.start()

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


# Other backends


def test_a_backend_that_keeps_mail_gets_the_same_mail(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    email.send(make_message())
    (kept,) = mail.outbox
    assert (kept.to, kept.subject, kept.body) == (["a@responders.example"], make_message().subject, make_message().body)


def test_djangos_own_backend_cannot_tell_and_is_taken_to_have_sent(server: MailServer, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    email.send(make_message())
    server.answers = {"MAIL": [HANG_UP]}
    assert refused().may_have_arrived
    assert len(server.mails) == 1

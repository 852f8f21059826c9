"""The mail sink keeps what it is sent."""

import subprocess
import sys
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.client import HTTPConnection
from pathlib import Path
from smtplib import SMTP, SMTPConnectError

import pytest
from pytest_django import Settings

from ir_portal.engines.state import mail_port
from ir_portal.environment import gateway
from ir_portal.mail_sink import MAX_TEXT_BYTES, text_gateway, text_port
from runbooks.notifications.channels.text_gateway import send

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("RUN_DIR", str(tmp_path))
    process = subprocess.Popen([sys.executable, "-m", "ir_portal.mail_sink"], cwd=REPOSITORY)
    try:
        yield tmp_path / "mail"
    finally:
        process.terminate()
        assert process.wait(10) == 0


def log_in() -> SMTP:
    deadline = time.monotonic() + 10
    while True:
        try:
            return SMTP("127.0.0.1", mail_port(), timeout=5)
        except (ConnectionRefusedError, SMTPConnectError):
            assert time.monotonic() < deadline, "The mail sink did not answer."
            time.sleep(0.05)


def test_a_message_is_kept_whole_with_its_envelope_and_for_its_owner_alone(sink: Path) -> None:
    message = EmailMessage(policy=policy.SMTP)
    message["Subject"] = "Step overdue"
    message["From"] = "portal@portal.example"
    message["To"] = "responder@elsewhere.example"
    message.set_content("Réset the sessions.\n")
    with log_in() as session:
        session.send_message(message, to_addrs=["responder@elsewhere.example", "second@elsewhere.example"])
        session.send_message(message)

    kept = sorted(sink.iterdir())
    assert [path.suffix for path in kept] == [".eml", ".eml"]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    first = message_from_bytes(kept[0].read_bytes(), policy=policy.default)
    assert first["X-Envelope-To"] == "responder@elsewhere.example, second@elsewhere.example"
    assert first["Subject"] == "Step overdue"
    assert first.get_content().rstrip() == "Réset the sessions."


def send_text(content: bytes, *, path: str = "/texts", kind: str = "application/json") -> int:
    log_in().close()
    connection = HTTPConnection("127.0.0.1", text_port(), timeout=5)
    connection.request("POST", path, content, {"Content-Type": kind})
    return connection.getresponse().status


def test_a_text_message_is_kept_with_its_number(sink: Path) -> None:
    assert send_text(b'{"to": "+447700900123", "text": "C\\u00f4d: 7K2M-9QXB"}') == 201
    (kept,) = sink.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    message = message_from_bytes(kept.read_bytes(), policy=policy.default)
    assert (message["X-Text-To"], message["Subject"]) == ("+447700900123", "Text to +447700900123")
    assert message.get_content() == "Côd: 7K2M-9QXB\n"


def test_what_is_no_text_message_is_refused_and_not_kept(sink: Path) -> None:
    whole = b'{"to": "+447700900123", "text": "Hello"}'
    assert send_text(b"no json") == 400
    assert send_text(b'{"text": "to nobody"}') == 400
    assert send_text(b'{"to": "+44\\r\\nSubject: more", "text": "Hello"}') == 400
    assert send_text(b'["+447700900123", "Hello"]') == 400
    assert send_text(whole, path="/elsewhere") == 404
    assert send_text(whole, kind="text/plain") == 404
    assert send_text(b" " * (MAX_TEXT_BYTES + 1)) == 413
    assert not list(sink.iterdir())


def test_the_sink_is_a_gateway_that_the_settings_take_and_messages_leave_through(
    sink: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    log_in().close()
    monkeypatch.setenv("TEXT_GATEWAY", text_gateway(text_port()))
    settings.TEXT_GATEWAY = gateway("TEXT_GATEWAY")
    settings.OUTBOUND_PRIVATE_NETWORKS = ["127.0.0.1/32"]
    send("07700 900123", "Your code: 7K2M-9QXB", "code-1")
    (kept,) = sink.iterdir()
    message = message_from_bytes(kept.read_bytes(), policy=policy.default)
    assert message["Subject"] == "Text to +447700900123"
    assert message.get_content() == "Your code: 7K2M-9QXB\n"

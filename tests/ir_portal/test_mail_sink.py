"""The mail sink keeps what it is sent."""

import subprocess
import sys
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from smtplib import SMTP, SMTPConnectError

import pytest

from ir_portal.engines.state import mail_port

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

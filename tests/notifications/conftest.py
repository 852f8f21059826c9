"""A real SMTP server that takes, refuses or is not there, as a test wants it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_django import Settings

TAKEN = "250 taken"


@dataclass
class Sink:
    """What arrived, and the answers to the next mails; when they are used up, mails are taken."""

    port: int
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    recipient_answers: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.recipient_answers.pop(0) if self.recipient_answers else TAKEN
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.pop(0) if self.answers else TAKEN
        if answer.startswith("2"):
            self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
            self.recipients.append(list(envelope.rcpt_tos))
        return answer


def find_free_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def smtp_down(settings: Settings) -> Sink:
    """Mail goes to a port where nobody listens."""
    settings.EMAIL_BACKEND = "runbooks.notifications.channels.smtp.Backend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", find_free_port()
    return Sink(settings.EMAIL_PORT)


@pytest.fixture
def smtp(smtp_down: Sink) -> Iterator[Sink]:
    """Mail goes to a server that keeps it."""
    with listening(smtp_down):
        yield smtp_down


@contextmanager
def listening(sink: Sink) -> Iterator[None]:
    """The server of a sink runs inside the block."""
    controller = Controller(sink, hostname="127.0.0.1", port=sink.port)
    controller.start()
    try:
        yield
    finally:
        controller.stop()

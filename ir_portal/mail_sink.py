"""`python -m ir_portal.mail_sink`: keeps every mail and text message and sends none, for the demonstration.

An SMTP server, and beside it a gateway of text messages. Messages lie in RUN_DIR/mail, a file each, named by when they
came: `00001796823000123456789.eml`. The two headers in front of a mail, X-Envelope-From and X-Envelope-To, say what the
sending server was told; a text message has X-Text-To.
"""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from ir_portal.engines.state import folder, mail_port

MAX_BYTES = 10 * 1024 * 1024
MAX_TEXT_BYTES = 64 * 1024


def text_port() -> int:
    """The port of the gateway of text messages: TEXT_SINK_PORT, or the one after the port of mail."""
    return int(os.environ.get("TEXT_SINK_PORT") or mail_port() + 1)


def text_gateway(port: int) -> str:
    """TEXT_GATEWAY for text messages that come here."""
    return json.dumps({"url": f"http://127.0.0.1:{port}/texts", "body": {"to": "{number}", "text": "{text}"}})


def keep(mail: Path, content: bytes) -> None:
    """Written under another name first, so that a reader never sees half a message."""
    name = f"{time.time_ns():023d}"
    new = mail / f"{name}.new"
    new.touch(mode=0o600)
    new.write_bytes(content)
    new.rename(mail / f"{name}.eml")


class KeepingHandler:
    """Accepts every message and writes it to the folder."""

    def __init__(self, mail: Path) -> None:
        self.mail = mail

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        to = ", ".join(envelope.rcpt_tos)
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {to}\r\n"
        keep(self.mail, head.encode() + (envelope.original_content or b""))
        return "250 Kept"


class TextServer(ThreadingHTTPServer):
    """Takes text messages as `text_gateway` describes them."""

    daemon_threads = True

    def __init__(self, port: int, mail: Path) -> None:
        self.mail = mail
        super().__init__(("127.0.0.1", port), TextHandler)


class TextHandler(BaseHTTPRequestHandler):
    """One text message a request, written to the folder as a mail of its own."""

    server: TextServer
    timeout = 10

    def do_POST(self) -> None:
        self._say(self._take())

    def _take(self) -> HTTPStatus:
        # A page elsewhere cannot make a browser send this kind without asking first.
        if self.path != "/texts" or self.headers.get_content_type() != "application/json":
            return HTTPStatus.NOT_FOUND
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_TEXT_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            said = json.loads(self.rfile.read(int(length)))
            keep(self.server.mail, text_as_mail(said["to"], said["text"]))
        except (ValueError, KeyError, TypeError):
            return HTTPStatus.BAD_REQUEST
        return HTTPStatus.CREATED

    def _say(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Nothing: what came is in the folder."""


def text_as_mail(number: str, text: str) -> bytes:
    """Raises ValueError, TypeError where they are no number and text."""
    message = EmailMessage()
    message["X-Text-To"] = number
    message["Subject"] = f"Text to {number}"
    message.set_content(text)
    return message.as_bytes()


@contextmanager
def taking_texts(port: int, mail: Path) -> Iterator[None]:
    with TextServer(port, mail) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


async def serve(port: int, texts: int, mail: Path) -> None:
    """Keep what arrives at these ports of the loopback until SIGTERM or SIGINT."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    handler = KeepingHandler(mail)
    # Texts first: whoever is greeted by the server of mail can send both.
    with taking_texts(texts, mail):
        server = await loop.create_server(
            lambda: SMTP(handler, hostname="mail-sink.example", data_size_limit=MAX_BYTES), "127.0.0.1", port
        )
        async with server:
            await stopped.wait()


if __name__ == "__main__":
    asyncio.run(serve(mail_port(), text_port(), folder("mail")))

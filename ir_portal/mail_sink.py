"""`python -m ir_portal.mail_sink`: an SMTP server that keeps every message and sends none, for the demonstration.

Messages lie in RUN_DIR/mail, a file each, named by the time they came: `00001796823000123456789.eml`. The two headers
in front, X-Envelope-From and X-Envelope-To, say what the sending server was told.
"""

import asyncio
import signal
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from ir_portal.engines.state import folder, mail_port

MAX_BYTES = 10 * 1024 * 1024


class KeepingHandler:
    """Accepts every message and writes it to the folder."""

    def __init__(self, mail: Path) -> None:
        self.mail = mail

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        to = ", ".join(envelope.rcpt_tos)
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {to}\r\n"
        name = f"{time.time_ns():023d}"
        # Written under another name first, so that a reader never sees half a message.
        new = self.mail / f"{name}.new"
        new.touch(mode=0o600)
        new.write_bytes(head.encode() + (envelope.original_content or b""))
        new.rename(self.mail / f"{name}.eml")
        return "250 Kept"


async def serve(port: int, mail: Path) -> None:
    """Keep what arrives at the port of the loopback until SIGTERM or SIGINT."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    handler = KeepingHandler(mail)
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="mail-sink.example", data_size_limit=MAX_BYTES), "127.0.0.1", port
    )
    async with server:
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(serve(mail_port(), folder("mail")))

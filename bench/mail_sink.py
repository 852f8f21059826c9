"""A mail server that writes down what it took: `python bench/mail_sink.py PORT FOLDER`, a process of its own.

FOLDER/taken gets a line a mail, `recipient TAB Message-ID`, before the server says that it took it. Where FOLDER/faults
holds a number, that share of commands is answered with a fault: 421, 450 and 550 in turns by chance, and now and then
nothing for some seconds.
"""

import asyncio
import logging
import random
import signal
import sys
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

STALL_SECONDS = 12
TAKEN = "250 taken"


class Sink:
    def __init__(self, folder: Path) -> None:
        self.taken = (folder / "taken").open("a", encoding="utf-8")
        self.faults, self.chance = folder / "faults", random.Random(6)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self.answer(["450 4.2.1 busy, come back", "550 5.1.1 no such mailbox", "421 4.3.2 closing"])
        if answer == TAKEN:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = await self.answer(["450 4.3.1 no room now", "421 4.3.2 closing", "stall"])
        if answer == TAKEN:
            content = bytes(envelope.content or b"")
            begin = content.index(b"Message-ID: ") + 12
            message_id = content[begin : content.index(b"\r\n", begin)].decode()
            self.taken.write(f"{envelope.rcpt_tos[0]}\t{message_id}\n")
            self.taken.flush()
        return answer

    async def answer(self, faults: list[str]) -> str:
        share = float(self.faults.read_text() or 0) if self.faults.exists() else 0
        if not share or self.chance.random() > share:
            return TAKEN
        fault = self.chance.choice(faults)
        if fault == "stall":
            await asyncio.sleep(STALL_SECONDS)
            return TAKEN
        return fault


def main() -> None:
    logging.disable(logging.INFO)
    controller = Controller(Sink(Path(sys.argv[2])), hostname="127.0.0.1", port=int(sys.argv[1]))
    controller.start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    controller.stop()


if __name__ == "__main__":
    main()

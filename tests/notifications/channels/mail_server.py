"""An SMTP server that hangs up, stalls or refuses at the very word a test names. Real ones are aiosmtpd's."""

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HANG_UP, STALL, SLOW = "hang up", "stall", "250 at last"
USUAL = {"EHLO": "250 mail.example", "DATA": "354 go on", ".": "250 taken", "QUIT": "221 bye"}


class MailServer(socketserver.ThreadingTCPServer):
    """`answers` maps a word to what is answered the next times it is said; the end of a mail is the word "."."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = self.server_address[1]
        self.answers: dict[str, list[str]] = {}
        self.connections = 0
        self.mails: list[bytes] = []
        self.said: list[str] = []

    def answer(self, word: str) -> str:
        waiting = self.answers.get(word)
        return waiting.pop(0) if waiting else USUAL.get(word, "250 well")


class _Handler(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.server.connections += 1
        with suppress(OSError):
            if not self._say(self.server.answer("GREETING").replace("250 well", "220 mail.example")):
                return
            while line := self.rfile.readline():
                word = line.split()[0].decode().upper()
                self.server.said.append(line.decode("latin-1").strip())
                if not self._say(self.server.answer(word)):
                    return
                if word == "DATA" and not self._take():
                    return

    def _take(self) -> bool:
        content = b""
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            content += line.removeprefix(b".")
        answer = self.server.answer(".")
        if line and answer[:3] in {"250", HANG_UP[:3], STALL[:3]}:
            self.server.mails.append(content)
        return self._say(answer)

    def _say(self, answer: str) -> bool:
        """Whether the line goes on."""
        if answer == HANG_UP:
            return False
        if answer == STALL:
            time.sleep(2)
            return False
        if answer == SLOW:
            time.sleep(0.8)
        self.wfile.write(f"{answer}\r\n".encode())
        return not answer.startswith(("221", "421"))


@contextmanager
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()

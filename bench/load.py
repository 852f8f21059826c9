"""The load of bench/pages.py: eight clients that keep their connections, each asking again as soon as it was answered.

A process of its own, with raw sockets and one epoll, so that it takes as little as it can of what it measures. It reads
one task a line from its standard input and answers with one line, both JSON; it ends with its input.

    {"port": 20001, "path": "/", "cookie": "session=...", "seconds": 1.5, "clients": 8}
    {"requests": 300, "seconds": 1.5, "p50": 0.02, "p95": 0.03, "cpu": 0.01, "size": 12000}

`p50` and `p95` are seconds, `cpu` the seconds of processor this process took, `size` the bytes of the last answer. An
answer other than 200 ends it with the reason.
"""

import json
import resource
import select
import socket
import sys
import time
from typing import Any

# So that the clients spread evenly over the server's processes, whichever took the first connections.
REQUESTS_A_CONNECTION = 40
LONGEST = 20
END_OF_HEAD = b"\r\n\r\n"


class Client:
    """One connection, and the answer that is arriving on it."""

    def __init__(self, port: int, request: bytes) -> None:
        self.address, self.request = ("127.0.0.1", port), request
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection(self.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0

    def ask(self) -> None:
        self.received, self.size = b"", 0
        self.sent += 1
        self.asked_at = time.perf_counter()
        self.socket.sendall(self.request)

    def is_answered(self) -> bool:
        """Take what has arrived; whether the answer is whole. Exits where it is not a page."""
        part = self.socket.recv(262_144)
        if not part:
            raise SystemExit(f"The server closed the connection after {self.received[:200]!r}")
        self.received += part
        if not self.size:
            head, found, _ = self.received.partition(END_OF_HEAD)
            if not found:
                return False
            if head[9:12] != b"200":
                raise SystemExit(f"Not a page: {self.received[:400]!r}")
            self.size = len(head) + len(END_OF_HEAD) + self._length(head) if b"content-length" in head.lower() else -1
        if self.size < 0:
            return self.received.endswith(b"0\r\n\r\n")
        return len(self.received) >= self.size

    @staticmethod
    def _length(head: bytes) -> int:
        lines = (line.lower() for line in head.split(b"\r\n"))
        return next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))


def drive(port: int, path: str, cookie: str, seconds: float, clients: int) -> dict[str, Any]:
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: text/html", *([f"Cookie: {cookie}"] if cookie else [])]
    request = "\r\n".join([*lines, "", ""]).encode()
    poll, by_number = select.epoll(), {}
    for _ in range(clients):
        client = Client(port, request)
        by_number[client.socket.fileno()] = client
        poll.register(client.socket, select.EPOLLIN)
        client.ask()
    times: list[float] = []
    size = 0
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    ends = began + seconds
    while (now := time.perf_counter()) < ends or not times:
        if now > ends + LONGEST:
            raise SystemExit(f"No answer in {LONGEST} s from {path}")
        for number, _ in poll.poll(1):
            client = by_number[number]
            if client.is_answered():
                times.append(time.perf_counter() - client.asked_at)
                size = len(client.received)
                if client.sent == REQUESTS_A_CONNECTION:
                    client.socket.close()
                    del by_number[number]
                    client.connect()
                    by_number[client.socket.fileno()] = client
                    poll.register(client.socket, select.EPOLLIN)
                client.ask()
    taken, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    _wait_for_the_last(poll, by_number)
    times.sort()
    return {
        "requests": len(times),
        "seconds": taken,
        "p50": times[len(times) // 2],
        "p95": times[int(len(times) * 0.95)],
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "size": size,
    }


def _wait_for_the_last(poll: select.epoll, by_number: dict[int, Client]) -> None:
    """Leave the server idle: what it still works on would be charged to the next side."""
    while by_number:
        for number, _ in poll.poll(10):
            if by_number[number].is_answered():
                by_number.pop(number).socket.close()
    poll.close()


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(drive(**json.loads(line))), flush=True)

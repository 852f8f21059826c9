"""The holders of bench/confirm_storm.py and bench/answer_timing.py: accounts with codes, and clients that are them.

As a program it is the load: it reads one task a line from its standard input and answers with one line, both JSON, and
ends with its input. Raw sockets and one epoll, as bench/load.py, so that it takes little of what it measures.

    {"port": 20001, "clients": 64, "file": "holders.json"}
    {"holders": 300, "seconds": 1.5, "p50": 0.2, "p95": 0.4, "cpu": 0.2, "statuses": {"302": 300}}

The file holds a list of holders: {"cookie": "...", "steps": [["POST", "/confirm/check/", "field=value"], ...]}. Each
does the steps in order on one connection, with the cookies it is given on the way; `p50` and `p95` are of a whole way.
"""

import json
import re
import resource
import select
import socket
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

COOKIE = re.compile(rb"[Ss]et-[Cc]ookie: (confirm|csrftoken)=([^;\r]+)")
LENGTH = re.compile(rb"[Cc]ontent-[Ll]ength: (\d+)")
LONGEST = 60
END_OF_HEAD = b"\r\n\r\n"


class Client:
    """One connection, and the holder whose turn it is on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def begin(self, holder: dict[str, Any]) -> None:
        self.cookies = dict(pair.split("=", 1) for pair in holder["cookie"].split("; "))
        self.steps = list(reversed(holder["steps"]))
        self.began = time.perf_counter()
        self.ask()

    def ask(self) -> None:
        method, path, body = self.steps.pop()
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Cookie: {cookie}"]
        if method == "POST":
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
        self.received = b""
        self.socket.sendall("\r\n".join([*lines, "", body]).encode())

    def status(self) -> str:
        """Take what has arrived; the status of the answer once it is whole, and nothing before."""
        part = self.socket.recv(262_144)
        if not part:
            raise SystemExit(f"The server closed the connection after {self.received[:200]!r}")
        self.received += part
        head, found, body = self.received.partition(END_OF_HEAD)
        length = LENGTH.search(head)
        if not found or not (len(body) == int(length.group(1)) if length else body.endswith(b"0\r\n\r\n")):
            return ""
        self.cookies |= {name.decode(): value.decode() for name, value in COOKIE.findall(head)}
        return head[9:12].decode()


def drive(port: int, clients: int, file: str) -> dict[str, Any]:
    waiting = list(reversed(json.loads(Path(file).read_text(encoding="utf-8"))))
    count, times, statuses = len(waiting), [], Counter()
    poll, by_number = select.epoll(), {}
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for _ in range(min(clients, count)):
        client = Client(port)
        by_number[client.socket.fileno()] = client
        poll.register(client.socket, select.EPOLLIN)
        client.begin(waiting.pop())
    while by_number:
        if time.perf_counter() > began + LONGEST * 10:
            raise SystemExit("It takes too long.")
        for number, _ in poll.poll(1):
            client = by_number[number]
            if not (status := client.status()):
                continue
            statuses[status] += 1
            if client.steps:
                client.ask()
                continue
            times.append(time.perf_counter() - client.began)
            if waiting:
                client.begin(waiting.pop())
            else:
                by_number.pop(number).socket.close()
    taken, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    times.sort()
    return {
        "holders": count,
        "seconds": taken,
        "p50": times[len(times) // 2],
        "p95": times[int(len(times) * 0.95)],
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "statuses": statuses,
    }


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(drive(**json.loads(line))), flush=True)

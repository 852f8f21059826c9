"""A receiver that answers at random, workers that are killed: every entry arrives, in order, once by identifier."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from celery import current_app
from django.conf import settings as kept
from django.db import connection, transaction

from runbooks.access.models import Role, User
from runbooks.incidents.models import Incident
from runbooks.subscriptions.models import SubscriptionAttempt, SubscriptionDelivery
from tests.factories import make_entry, make_incident, make_user
from tests.subscriptions.receiving import Receiver, is_signed, subscribed

pytestmark = pytest.mark.django_db(transaction=True)
KILLS, ENTRIES = 3, 24
SECONDS = 180


class Moody(ThreadingHTTPServer):
    """Takes a call, or answers 500 or 429, or says nothing, or hangs up: before it took the call, or after."""

    daemon_threads = True
    WAYS = ("take",) * 6 + ("500", "429", "silence", "hang up", "take and hang up")

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.ways: set[str] = set()
        self._chance, self._lock = random.Random(20170623), threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def way(self, headers: dict[str, str], body: bytes) -> str:
        with self._lock:
            way = self._chance.choice(self.WAYS)
            self.ways.add(way)
            if way.startswith("take"):
                self.taken.append((headers, body))
            return way

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Workers that die hang up."""


class Handler(BaseHTTPRequestHandler):
    server: Moody

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        self.close_connection = True
        if len(body) < length:  # its worker died while it sent
            return
        way = self.server.way(dict(self.headers), body)
        if way == "silence":
            time.sleep(2)
        if way in {"take", "500", "429"}:
            self.send_response(200 if way == "take" else int(way))
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class Worker:
    """A Celery worker process on the test's database and broker, which can be killed with all its children."""

    def __init__(self, folder: Path) -> None:
        entry = kept.DATABASES["default"]
        login = f"{quote(entry['USER'])}:{quote(entry['PASSWORD'])}@{entry['HOST']}:{entry['PORT']}"
        self._environment = {
            **os.environ,
            "DATABASE_URL": f"postgres://{login}/{connection.settings_dict['NAME']}",
            "OUTBOUND_PRIVATE_NETWORKS": "127.0.0.0/8",
            "SUBSCRIPTION_TIMEOUT": "1",
            "SUBSCRIPTION_WAITS": ",".join(["0"] * 20),
        }
        self._log = folder / "worker.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "celery", "-A", "ir_portal", "worker", "--concurrency", "2"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """As the kernel does when memory runs out: no goodbye."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def said(self) -> str:
        return self._log.read_text()[-3000:]


@pytest.fixture
def moody(settings: Any) -> Iterator[Moody]:
    settings.OUTBOUND_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    server = Moody()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(tmp_path)
    yield worker
    worker.kill()


def until(holds: Callable[[], bool], worker: Worker) -> None:
    """In place of beat, this sends the sweeps."""
    deadline, beat = time.monotonic() + SECONDS, 0.0
    while not holds():
        assert time.monotonic() < deadline, worker.said()
        if time.monotonic() > beat:
            current_app.send_task("subscriptions.sweep", expires=2)
            beat = time.monotonic() + 0.3
        time.sleep(0.02)


def is_over() -> bool:
    return not SubscriptionDelivery.objects.filter(status="waiting").exists()


def wrote(incidents: list[Incident], count: int) -> None:
    for number in range(count):
        with transaction.atomic():
            make_entry(incidents[number % len(incidents)], f"Entry {number}")


def arrivals(moody: Moody) -> dict[str, list[tuple[str, int]]]:
    """{incident: (identifier, sequence) in the order in which each came first}"""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for headers, body in moody.taken:
        said = json.loads(body)
        assert said["id"] == headers["webhook-id"]
        known = found[said["incident"]["reference"]].setdefault(said["id"], said["sequence"])
        assert known == said["sequence"]
    return {reference: list(ids.items()) for reference, ids in found.items()}


@pytest.fixture
def administrator(transactional_db: None) -> User:
    return make_user(Role.ADMINISTRATOR)


def test_every_entry_arrives_in_order_and_once_by_its_identifier(
    administrator: User, moody: Moody, worker: Worker
) -> None:
    incidents = [make_incident() for _ in range(2)]
    receiver = Receiver()
    receiver.url = moody.url
    made = subscribed(receiver, administrator)
    heads = {one.reference: Incident.objects.get(pk=one.pk).head_sequence for one in incidents}
    wrote(incidents, ENTRIES)
    struck = 0
    for _ in range(KILLS):
        worker.start()
        before = len(moody.taken)
        until(lambda before=before: len(moody.taken) > before + 2, worker)  # type: ignore[misc]
        worker.kill()
        struck += not is_over()
        wrote(incidents, ENTRIES // KILLS)
    assert struck == KILLS, "a worker had nothing to do when it died"
    worker.start()
    until(lambda: SubscriptionDelivery.objects.count() == 2 * ENTRIES and is_over(), worker)

    assert set(SubscriptionDelivery.objects.values_list("status", flat=True)) == {"delivered"}
    found = arrivals(moody)
    assert set(found) == set(heads)
    for reference, came in found.items():
        sequences = [sequence for _, sequence in came]
        assert sequences == list(range(heads[reference] + 1, heads[reference] + 1 + ENTRIES)), reference
    assert all(is_signed(made.secret, headers, body) for headers, body in moody.taken)
    assert moody.ways == set(Moody.WAYS)
    assert SubscriptionAttempt.objects.exclude(reason="").exists()

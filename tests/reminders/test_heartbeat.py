"""A monitor outside hears that all is well only when the watchdog found that, and else what is wrong."""

import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from runbooks.notifications.models import Pulse
from runbooks.reminders import tasks
from runbooks.reminders.operations.beating import beat
from runbooks.reminders.queries.health import HEARTBEAT, WATCH, Fault

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "0c1b2f3a-secret"
WRONG = [Fault("chains", "2 chains do not move"), Fault("clock", "The clock of a worker is 1 h ahead")]


class Monitor(ThreadingHTTPServer):
    """Keeps what it was called with, and answers as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.calls: list[tuple[str, str, str]] = []
        self.status = 200


class Answering(BaseHTTPRequestHandler):
    server: Monitor

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.calls.append((self.command, self.path, body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, *_: Any) -> None:
        pass


# The names by which the library asks for them.
Answering.do_GET = Answering.do_POST = Answering.answer  # type: ignore[attr-defined]


@pytest.fixture
def monitor(settings: Any) -> Iterator[Monitor]:
    server = Monitor()
    thread = Thread(target=server.serve_forever)
    thread.start()
    settings.OUTBOUND_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.HEARTBEAT_URL = f"http://127.0.0.1:{server.server_port}/ping/{SECRET}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_when_all_is_well_the_monitor_is_called_at_its_address(monitor: Monitor) -> None:
    assert beat([]) == "127.0.0.1 heard that all is well"
    assert monitor.calls == [("GET", f"/ping/{SECRET}", "")]


def test_when_something_is_wrong_it_is_called_at_fail_with_what_it_is(monitor: Monitor) -> None:
    assert beat(WRONG) == "127.0.0.1 heard that something is wrong"
    body = "2 chains do not move\nThe clock of a worker is 1 h ahead"
    assert monitor.calls == [("POST", f"/ping/{SECRET}/fail", body)]


def test_what_an_address_asks_for_after_its_path_stays_behind_it(monitor: Monitor, settings: Any) -> None:
    settings.HEARTBEAT_URL += "/?rid=7"
    beat(WRONG)
    assert monitor.calls[0][1] == f"/ping/{SECRET}/fail?rid=7"


def test_a_monitor_that_refuses_or_is_gone_is_said_without_its_secret_address(monitor: Monitor, settings: Any) -> None:
    monitor.status = 404
    assert beat([]) == "Not heard: 127.0.0.1 answered 404."
    settings.HEARTBEAT_URL = f"http://127.0.0.1:1/{SECRET}"
    said = beat([])
    assert said.startswith("Not heard: 127.0.0.1 does not answer")
    assert SECRET not in said


def test_without_an_address_nobody_is_called(settings: Any) -> None:
    settings.HEARTBEAT_URL = ""
    assert beat(WRONG) == ""


def test_the_watchdog_beats_after_it_looked_and_says_how_that_went(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        tasks.watch()
    assert [call[0] for call in monitor.calls] == ["GET"]
    assert Pulse.objects.get(name=HEARTBEAT).said == "127.0.0.1 heard that all is well"
    assert Pulse.objects.get(name=WATCH).said == "All is well"
    assert SECRET not in caplog.text


def test_a_watchdog_that_breaks_off_beats_not_at_all(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("No database")

    monkeypatch.setattr("runbooks.reminders.operations.watching.faults", broken)
    with pytest.raises(RuntimeError, match="No database"):
        tasks.watch()
    assert monitor.calls == []

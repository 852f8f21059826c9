"""/healthz: which parts answer, for somebody who is not signed in."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from ir_portal import health
from ir_portal.health import LastCheck

ALL = {"database": "answers", "broker": "answers", "worker": "answers"}
NOBODY_LISTENS = "1"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "last_check", LastCheck())


@pytest.fixture
def silent_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker runs in most tests; this spares the wait for its answer."""
    monkeypatch.setattr(health, "_worker_answers", lambda: True)


def test_200_when_database_broker_and_worker_answer(client: Client, worker: None) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == ALL


def test_503_names_the_worker_when_none_answers(client: Client, db: None) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == ALL | {"worker": "does not answer"}


def test_503_names_the_database_when_it_does_not_answer(
    client: Client, db: None, silent_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "PORT", NOBODY_LISTENS)
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == ALL | {"database": "does not answer"}


def test_503_names_the_broker_and_the_worker_behind_it(client: Client, db: None, settings: Settings) -> None:
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{NOBODY_LISTENS}/0"
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == ALL | {"broker": "does not answer", "worker": "does not answer"}


def test_it_is_not_stored_and_cannot_be_posted_to(client: Client, db: None, silent_worker: None) -> None:
    assert "no-store" in client.get("/healthz")["Cache-Control"]
    assert client.post("/healthz").status_code == 405


def counting(calls: list[int]) -> Callable[[], dict[str, bool]]:
    def check() -> dict[str, bool]:
        calls.append(1)
        return {"database": True}

    return check


def test_asking_often_checks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(health, "check", counting(calls))
    last = LastCheck()
    assert [last.answer() for _ in range(100)] == [{"database": True}] * 100
    assert len(calls) == 1


def test_an_old_answer_is_checked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(health, "check", counting(calls))
    monkeypatch.setattr(health, "FRESH_SECONDS", 0)
    last = LastCheck()
    last.answer()
    last.answer()
    assert len(calls) == 2


def test_while_one_checks_the_others_get_the_answer_before(monkeypatch: pytest.MonkeyPatch) -> None:
    checking, finish = threading.Event(), threading.Event()

    def slow() -> dict[str, bool]:
        checking.set()
        assert finish.wait(10)
        return {"database": False}

    last = LastCheck()
    monkeypatch.setattr(health, "FRESH_SECONDS", 0)
    monkeypatch.setattr(health, "check", lambda: {"database": True})
    last.answer()
    monkeypatch.setattr(health, "check", slow)
    thread = threading.Thread(target=last.answer)
    thread.start()
    assert checking.wait(10)

    assert last.answer() == {"database": True}
    finish.set()
    thread.join()
    monkeypatch.setattr(health, "check", lambda: pytest.fail("checked again"))
    monkeypatch.setattr(last, "_good_until", float("inf"))
    assert last.answer() == {"database": False}


def test_a_watcher_behind_the_proxy_is_not_sent_to_https(
    client: Client, db: None, silent_worker: None, settings: Settings
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/healthz").status_code == 200

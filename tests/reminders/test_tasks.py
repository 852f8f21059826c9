"""The sweeps go by the database's clock, and one incident in which something fails is in nobody's way."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from runbooks.incidents.models import Incident
from runbooks.notifications.models import Escalation, Notification, Pulse
from runbooks.reminders import tasks
from runbooks.reminders.clock import database_now
from tests.factories import make_step, make_user
from tests.notifications.conftest import Sink, smtp, smtp_down
from tests.notifications.making import deliver_at
from tests.reminders.making import COORDINATOR, HOUR, MINUTE, make_policy, make_room, start, told

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["smtp", "smtp_down"]


@pytest.fixture
def wrong_clock(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> timedelta:
    """This worker's clock is wrong by this much, everywhere."""
    wrong: timedelta = request.param
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + wrong)
    return wrong


@pytest.mark.parametrize("wrong_clock", [HOUR, -HOUR], indirect=True, ids=["ahead", "behind"])
def test_a_worker_whose_clock_is_an_hour_wrong_calls_neither_too_early_nor_too_late(wrong_clock: timedelta) -> None:
    make_policy(("lead", 10))
    now = database_now()
    lead = make_user(name="Amina")
    due = start(make_room(lead, declared_at=now - HOUR), [], at=now - 11 * MINUTE)
    early = start(make_room(lead, declared_at=now - HOUR), [], at=now - 5 * MINUTE)
    tasks.chains()
    due.refresh_from_db()
    early.refresh_from_db()
    assert told(escalation=due) == ["Amina"]
    assert told(escalation=early) == []
    assert abs(due.moved_at - now) < MINUTE
    assert due.next_at is not None
    assert abs(due.next_at - now - 10 * MINUTE) < MINUTE
    assert Notification.objects.get(escalation=due).created_at == due.moved_at


@pytest.mark.parametrize("wrong_clock", [HOUR, -HOUR], indirect=True, ids=["ahead", "behind"])
def test_a_worker_whose_clock_is_an_hour_wrong_reminds_when_it_is_time(wrong_clock: timedelta) -> None:
    now = database_now()
    room = make_room(make_user(), declared_at=now - 8 * HOUR, severity=3)
    make_step(room, due_at=now - 5 * MINUTE, number="1.1")
    make_step(room, due_at=now + 90 * MINUTE, number="1.2")
    tasks.remind()
    assert list(Notification.objects.exclude(event="incident.nudged").values_list("event", flat=True)) == ["step.due"]


@contextmanager
def held_by_another(incident: Incident) -> Iterator[None]:
    """Another process holds the incident's lock."""
    taken, let_go = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            Incident.objects.select_for_update().get(pk=incident.pk)
            taken.set()
            let_go.wait(30)
        connection.close()

    thread = Thread(target=hold)
    thread.start()
    assert taken.wait(10)
    try:
        yield
    finally:
        let_go.set()
        thread.join()


def test_an_incident_that_others_hold_for_long_is_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbooks.reminders.operations.locking.WITHIN", "200ms")
    make_policy(("lead", 10))
    now = database_now()
    held = start(make_room(make_user(name="Held"), declared_at=now - HOUR), [], at=now - 12 * MINUTE)
    free = start(make_room(make_user(name="Free"), declared_at=now - HOUR), [], at=now - 11 * MINUTE)
    with held_by_another(held.incident):
        tasks.chains()
    assert (told(escalation=held), told(escalation=free)) == ([], ["Free"])
    assert Pulse.objects.get(name="reminders.chains").said == "1 moved, 1 failed"
    tasks.chains()
    assert told(escalation=held) == ["Held"]


def test_a_chain_that_breaks_off_leaves_no_trace_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_policy(("lead", 10))
    now = database_now()
    broken = start(make_room(make_user(name="Broken"), declared_at=now - HOUR), [], at=now - 12 * MINUTE)
    good = start(make_room(make_user(name="Good"), declared_at=now - HOUR), [], at=now - 11 * MINUTE)
    Escalation.objects.filter(pk=broken.pk).update(texts={"en-gb": {"nonsense": ""}})
    tasks.chains()
    broken.refresh_from_db()
    assert (broken.position, broken.status) == (0, "running")
    assert told(escalation=good) == ["Good"]
    assert "broke off" in caplog.text


def test_two_workers_at_the_same_moment_call_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make_policy(("lead", 10), repeats=5)
    now = database_now()
    chain = start(make_room(make_user(name="Amina"), declared_at=now - HOUR), [], at=now - 11 * MINUTE)

    def sweep() -> None:
        tasks.chains()
        connection.close()

    threads = [Thread(target=sweep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told(escalation=chain) == ["Amina"]


def test_ten_minutes_without_a_broker_lose_nothing_and_say_nothing_twice(
    smtp: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wake-ups are lost, rows are not: when it is back, what is due is found, called on once, and leaves once."""

    def no_broker(*_: Any, **__: Any) -> None:
        raise OperationalError("Connection refused")

    make_policy(("lead", 10), (COORDINATOR, 10))
    now = database_now()
    lead = make_user(name="Amina")
    room = make_room(lead, declared_at=now - 8 * HOUR, severity=3)
    make_step(room, due_at=now - MINUTE)
    chain = start(room, [], at=now - 21 * MINUTE)
    with monkeypatch.context() as down:
        down.setattr("runbooks.background.current_app.send_task", no_broker)
        tasks.chains()
        tasks.remind()
    assert told(escalation=chain, status="waiting") == ["Amina"]
    assert told("step.due", status="waiting") == ["Amina"]
    woken: list[str] = []
    monkeypatch.setattr("runbooks.background.current_app.send_task", lambda task, **_: woken.append(task))
    for _ in range(2):
        tasks.chains()
        tasks.remind()
        deliver_at(database_now() + 2 * MINUTE)
    assert len(smtp.messages) == Notification.objects.filter(delivered_at__isnull=False).count()
    assert told(escalation=chain) == ["Amina"]
    assert told("step.due", delivered_at__isnull=False) == ["Amina"]

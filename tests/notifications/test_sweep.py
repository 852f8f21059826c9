"""The sweep delivers whatever a lost wake-up or a failed attempt left."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from celery import Celery
from django.conf import settings

from runbooks import background
from runbooks.notifications import operations
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import LEASE, SWEEP_TIME, sweep
from tests.notifications.conftest import Sink, find_free_port
from tests.notifications.making import AT, make_notice

pytestmark = pytest.mark.django_db(transaction=True)
Status = Notification.Status


def statuses() -> list[str]:
    return list(Notification.objects.order_by("next_attempt_at").values_list("status", flat=True))


def test_a_dead_broker_does_not_stop_the_change_and_the_sweep_delivers(
    smtp: Sink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broker = f"redis://127.0.0.1:{find_free_port()}/0"
    dead = Celery("dead", broker=broker, set_as_current=False)
    dead.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    monkeypatch.setattr(background, "current_app", dead)
    make_notice()
    assert "No broker: notifications.deliver waits for the sweep" in caplog.text
    assert not smtp.messages
    assert sweep(clock=lambda: AT) == 1
    assert len(smtp.messages) == 1
    assert sweep(clock=lambda: AT) == 0


def test_what_is_not_due_is_held_or_is_done_with_is_left_alone(smtp: Sink) -> None:
    make_notice(at=AT + timedelta(hours=1))
    held, failed = make_notice(), make_notice()
    Notification.objects.filter(pk=held.pk).update(leased_until=AT + LEASE)
    Notification.objects.filter(pk=failed.pk).update(status=Status.FAILED)
    assert sweep(clock=lambda: AT) == 0
    assert not smtp.messages


def test_it_goes_on_through_all_batches_oldest_first(smtp: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "SWEEP_BATCH", 2)
    notices = [make_notice(at=AT - timedelta(minutes=number)) for number in range(5)]
    assert sweep(clock=lambda: AT) == 5
    assert [addresses[0] for addresses in smtp.recipients] == [notice.address for notice in reversed(notices)]


def test_notices_of_the_same_moment_are_all_found(smtp: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "SWEEP_BATCH", 2)
    for _ in range(5):
        make_notice()
    sweep(clock=lambda: AT)
    assert statuses() == [Status.DELIVERED] * 5


def test_one_run_takes_no_more_than_its_share(smtp: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "SWEEP_ROWS", 2)
    monkeypatch.setattr(operations, "SWEEP_BATCH", 2)
    for _ in range(3):
        make_notice()
    assert sweep(clock=lambda: AT) == 2
    assert sweep(clock=lambda: AT) == 1


def test_a_run_that_has_lasted_a_minute_leaves_the_rest_to_the_next(smtp: Sink) -> None:
    for _ in range(3):
        make_notice()
    times = ticking()
    assert sweep(clock=lambda: next(times)) < 3


def test_a_notice_the_server_refuses_for_good_does_not_keep_the_others_back(smtp: Sink) -> None:
    for number in range(3):
        make_notice(at=AT - timedelta(minutes=3 - number))
    smtp.recipient_answers = ["550 no such mailbox"]
    sweep(clock=lambda: AT)
    assert statuses() == [Status.FAILED, Status.DELIVERED, Status.DELIVERED]


def ticking() -> Iterator[datetime]:
    """Every look at the clock finds it almost a sweep's time later."""
    at = AT
    while True:
        yield at
        at += SWEEP_TIME * 0.4

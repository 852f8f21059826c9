"""A notice is claimed, sent outside any transaction, and recorded: at least once, by one worker at a time."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from pytest_django import Settings

from runbooks.access.models import User
from runbooks.notifications.channels import email
from runbooks.notifications.channels.base import Message
from runbooks.notifications.models import Notification, NotificationAttempt
from runbooks.notifications.operations import ATTEMPTS, LEASE, deliver, wait_after
from tests.notifications.conftest import Sink, listening
from tests.notifications.making import AT, make_notice

pytestmark = pytest.mark.django_db(transaction=True)
Status = Notification.Status


def attempts_of(notice: Notification) -> list[tuple[bool, str]]:
    return list(notice.attempts.order_by("pk").values_list("is_delivered", "reason"))


def test_a_notice_that_is_due_is_sent_once_and_said_to_be_delivered(smtp: Sink) -> None:
    notice = make_notice()
    deliver(notification_id=notice.pk, at=AT)
    deliver(notification_id=notice.pk, at=AT)
    notice.refresh_from_db()
    assert (notice.status, notice.delivered_at, notice.leased_until, notice.reason) == (Status.DELIVERED, AT, None, "")
    assert attempts_of(notice) == [(True, "")]
    assert smtp.recipients == [[notice.address]]


def test_a_notice_that_is_not_due_yet_stays_where_it_is(smtp: Sink) -> None:
    notice = make_notice()
    deliver(notification_id=notice.pk, at=AT - timedelta(seconds=1))
    assert not smtp.messages
    assert not attempts_of(notice)


def test_a_notice_that_is_gone_or_was_rolled_back_is_no_error(smtp: Sink) -> None:
    deliver(notification_id=make_notice().incident_id, at=AT)
    assert not smtp.messages


def test_the_mail_server_is_asked_outside_any_transaction(smtp: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[bool] = []
    send = email.send

    def watched(message: Message) -> None:
        inside.append(connection.in_atomic_block)
        send(message)

    monkeypatch.setattr(email, "send", watched)
    deliver(notification_id=make_notice().pk, at=AT)
    assert inside == [False]


def test_two_workers_with_the_same_notice_send_it_once(smtp: Sink) -> None:
    notice = make_notice()
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        try:
            deliver(notification_id=notice.pk, at=AT)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert len(smtp.messages) == 1
    assert attempts_of(notice) == [(True, "")]


def test_while_the_server_is_down_the_waits_grow_and_when_it_is_back_the_notice_arrives_once(smtp_down: Sink) -> None:
    notice, at, waits = make_notice(), AT, []
    for _ in range(4):
        deliver(notification_id=notice.pk, at=at)
        notice.refresh_from_db()
        assert notice.status == Status.WAITING
        assert "cannot be reached" in notice.reason
        waits.append((notice.next_attempt_at - at).total_seconds())
        at = notice.next_attempt_at
    assert all(22.4 <= wait / 2**number <= 30 for number, wait in enumerate(waits))
    with listening(smtp_down):
        deliver(notification_id=notice.pk, at=at)
        deliver(notification_id=notice.pk, at=at)
    notice.refresh_from_db()
    assert (notice.status, notice.reason) == (Status.DELIVERED, "")
    assert [delivered for delivered, _ in attempts_of(notice)] == [False] * 4 + [True]
    assert len(smtp_down.messages) == 1


def test_an_address_the_server_does_not_know_is_given_up_at_once(smtp: Sink) -> None:
    smtp.recipient_answers = ["550 no such mailbox"]
    notice = make_notice()
    deliver(notification_id=notice.pk, at=AT)
    notice.refresh_from_db()
    assert notice.status == Status.FAILED
    assert notice.reason == "The mail server refused the address: 550 no such mailbox"
    assert attempts_of(notice) == [(False, notice.reason)]


@pytest.mark.parametrize("answer", ["421 closing", "450 busy, come back", "452 full"])
def test_a_server_that_asks_to_come_back_later_is_asked_again(smtp: Sink, answer: str) -> None:
    smtp.answers = [answer]
    notice = make_notice()
    deliver(notification_id=notice.pk, at=AT)
    notice.refresh_from_db()
    assert notice.status == Status.WAITING
    assert answer in notice.reason
    deliver(notification_id=notice.pk, at=notice.next_attempt_at)
    notice.refresh_from_db()
    assert notice.status == Status.DELIVERED


def test_after_ten_attempts_a_person_has_to_look(smtp_down: Sink) -> None:
    notice, at = make_notice(), AT
    for _ in range(ATTEMPTS):
        deliver(notification_id=notice.pk, at=at)
        notice.refresh_from_db()
        at = notice.next_attempt_at
    assert notice.status == Status.FAILED
    assert len(attempts_of(notice)) == notice.attempts_made == ATTEMPTS


def test_a_worker_that_died_while_sending_leaves_its_mark_and_another_one_sends_again(smtp: Sink) -> None:
    notice = make_notice()
    hold(notice)
    deliver(notification_id=notice.pk, at=AT + LEASE - timedelta(seconds=1))
    assert not smtp.messages, "the lease still runs"
    deliver(notification_id=notice.pk, at=AT + LEASE)
    notice.refresh_from_db()
    assert notice.status == Status.DELIVERED
    assert attempts_of(notice) == [
        (False, "The worker stopped before it could say whether the notice had left."),
        (True, ""),
    ]
    assert NotificationAttempt.objects.filter(notification=notice).earliest("pk").at == AT


def test_a_notice_that_kills_every_worker_is_given_up(smtp: Sink) -> None:
    notice = make_notice()
    hold(notice, attempts_made=ATTEMPTS)
    deliver(notification_id=notice.pk, at=AT + LEASE)
    notice.refresh_from_db()
    assert notice.status == Status.FAILED
    assert notice.reason.startswith("The worker stopped")
    assert not smtp.messages


@pytest.mark.parametrize("answer", ["250 taken", "450 busy"])
def test_a_worker_slower_than_its_lease_changes_the_notice_only_if_it_delivered(
    smtp: Sink, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice, send = make_notice(), email.send
    smtp.answers = [answer]

    def slow(message: Message) -> None:
        hold(notice, at=AT + LEASE, attempts_made=2)
        send(message)

    monkeypatch.setattr(email, "send", slow)
    deliver(notification_id=notice.pk, at=AT)
    notice.refresh_from_db()
    delivered = answer.startswith("2")
    assert notice.status == (Status.DELIVERED if delivered else Status.WAITING)
    assert notice.leased_until == (None if delivered else AT + 2 * LEASE), "the other worker keeps its lease"


def test_a_notice_to_a_domain_that_turned_out_to_be_affected_is_held_back(smtp: Sink, settings: Settings) -> None:
    notice = make_notice()
    settings.INSTITUTION_MAIL_DOMAINS = ["parliament.example", "responders.example"]
    deliver(notification_id=notice.pk, at=AT)
    notice.refresh_from_db()
    assert (notice.status, notice.reason) == (Status.REFUSED, "inside the affected system")
    assert not smtp.messages


@pytest.mark.parametrize("how", ["left", "switched off"])
def test_who_left_the_incident_since_hears_no_more_of_it(smtp: Sink, how: str) -> None:
    notice = make_notice()
    if how == "left":
        notice.incident.memberships.update(ended_at=AT)
    else:
        User.objects.filter(pk=notice.recipient_id).update(is_active=False)
    deliver(notification_id=notice.pk, at=AT)
    notice.refresh_from_db()
    assert (notice.status, notice.reason) == (Status.REFUSED, "not in the incident")
    assert not smtp.messages


def test_waits_double_up_to_an_hour_and_differ_by_the_notices_own_key() -> None:
    waits = [wait_after(number, "0000" + "a" * 60) for number in range(1, 11)]
    assert [wait.total_seconds() for wait in waits] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert wait_after(1, "f" * 64) == timedelta(seconds=22.5)


def hold(notice: Notification, **changes: object) -> None:
    """As a worker leaves it that claimed the notice and was not heard of again."""
    at = changes.pop("at", AT)
    Notification.objects.filter(pk=notice.pk).update(leased_until=at + LEASE, **{"attempts_made": 1, **changes})

"""A notice is claimed, sent outside any transaction, and noted: at least once, by one worker at a time."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from celery import Celery
from django.conf import settings as site
from django.db import connections
from pytest_django import Settings

from runbooks import background
from runbooks.access.models import User
from runbooks.notifications.models import ChannelState, Notification
from runbooks.notifications.operations import deliver, delivering
from runbooks.notifications.operations.claiming import ATTEMPTS, LEASE, LOST
from runbooks.notifications.operations.delivering import LONGEST, wait_after
from tests.factories import make_user
from tests.notifications.conftest import Sink, find_free_port, listening
from tests.notifications.making import AT, deliver_at, make_notice, standing

pytestmark = pytest.mark.django_db(transaction=True)
Status = Notification.Status


def attempts_of(notice: Notification) -> list[tuple[bool, str]]:
    return list(notice.attempts.order_by("pk").values_list("is_delivered", "reason"))


def fresh(notice: Notification) -> Notification:
    return Notification.objects.get(pk=notice.pk)


def hold(notice: Notification, *, at: datetime = AT, attempts_made: int = 1) -> None:
    """As a worker leaves it that began to send it and was not heard of again."""
    Notification.objects.filter(pk=notice.pk).update(
        leased_until=at + LEASE, sending_since=at, attempts_made=attempts_made
    )


def test_a_notice_that_is_due_is_sent_once_and_said_to_be_delivered(smtp: Sink) -> None:
    notice = make_notice()
    assert deliver_at(AT) == 1
    assert deliver_at(AT) == 0
    notice = fresh(notice)
    assert (notice.status, notice.delivered_at, notice.leased_until, notice.reason) == (Status.DELIVERED, AT, None, "")
    assert notice.sending_since is None
    attempt = notice.attempts.get()
    assert (attempt.channel, attempt.address, attempt.is_delivered) == ("email", notice.recipient.email, True)
    assert smtp.recipients == [[notice.recipient.email]]


def test_a_notice_that_is_not_due_yet_stays_where_it_is(smtp: Sink) -> None:
    notice = make_notice()
    assert deliver_at(AT - timedelta(seconds=1)) == 0
    assert not smtp.messages
    assert not attempts_of(notice)


def test_the_mail_server_is_asked_outside_any_transaction(smtp: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another connection can take the row's lock while the server answers."""
    notice, locked = make_notice(), []
    answer = smtp.handle_DATA

    async def watched(*arguments: Any) -> str:
        def take() -> None:
            try:
                locked.append(Notification.objects.filter(pk=notice.pk).update(reason="seen meanwhile"))
            finally:
                connections.close_all()

        other = threading.Thread(target=take)
        other.start()
        other.join(timeout=5)
        return await answer(*arguments)

    monkeypatch.setattr(smtp, "handle_DATA", watched)
    deliver_at(AT)
    assert locked == [1]
    assert fresh(notice).status == Status.DELIVERED


def test_two_workers_share_what_is_due_and_send_each_once(smtp: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "BATCH", 3)
    for _ in range(20):
        make_notice()
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        try:
            deliver_at(AT)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert len(smtp.messages) == 20
    assert sorted(to for (to,) in smtp.recipients) == sorted(
        Notification.objects.values_list("recipient__email", flat=True)
    )
    assert set(Notification.objects.values_list("status", flat=True)) == {Status.DELIVERED}


def test_the_important_leave_before_what_waited_longer(smtp: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "BATCH", 2)
    for number in range(3):
        make_notice(at=AT - timedelta(minutes=number + 1))
    urgent = make_notice()
    Notification.objects.filter(pk=urgent.pk).update(importance="important")
    assert deliver_at(AT) == 4
    assert smtp.recipients[0] == [urgent.recipient.email]


def test_while_the_server_is_down_the_waits_grow_and_when_it_is_back_the_notice_arrives_once(smtp_down: Sink) -> None:
    notice, at, waits = make_notice(), AT, []
    for _ in range(4):
        deliver_at(at)
        notice = fresh(notice)
        assert notice.status == Status.WAITING
        assert notice.reason_code == "unreachable"
        waits.append((notice.next_attempt_at - at).total_seconds())
        at = notice.next_attempt_at
    assert all(22.4 <= wait / 2**number <= 30 for number, wait in enumerate(waits))
    with listening(smtp_down):
        deliver_at(at)
        deliver_at(at)
    notice = fresh(notice)
    assert (notice.status, notice.reason) == (Status.DELIVERED, "")
    assert [delivered for delivered, _ in attempts_of(notice)] == [False] * 4 + [True]
    assert len(smtp_down.messages) == 1


def test_a_dead_broker_does_not_stop_the_change_and_the_clock_delivers(
    smtp: Sink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broker = f"redis://127.0.0.1:{find_free_port()}/0"
    dead = Celery("dead", broker=broker, set_as_current=False)
    dead.conf.broker_transport_options = site.CELERY_BROKER_TRANSPORT_OPTIONS
    monkeypatch.setattr(background, "current_app", dead)
    make_notice()
    assert "No broker: notifications.deliver waits for the sweep" in caplog.text
    assert not smtp.messages
    assert deliver_at(AT) == 1
    assert len(smtp.messages) == 1


def test_an_address_the_server_does_not_know_is_given_up_at_once_and_keeps_nobody_back(smtp: Sink) -> None:
    smtp.recipient_answers = ["550 no such mailbox"]
    notices = [make_notice(at=AT - timedelta(minutes=3 - number)) for number in range(3)]
    deliver_at(AT)
    first = fresh(notices[0])
    assert (first.status, first.reason_code) == (Status.FAILED, "address_refused")
    assert "550 no such mailbox" in first.reason
    assert attempts_of(first) == [(False, first.reason)]
    assert [fresh(one).status for one in notices[1:]] == [Status.DELIVERED] * 2


@pytest.mark.parametrize("answer", ["421 closing", "450 busy, come back", "452 full"])
def test_a_server_that_asks_to_come_back_later_is_asked_again(smtp: Sink, answer: str) -> None:
    smtp.answers = [answer]
    notice = make_notice()
    deliver_at(AT)
    notice = fresh(notice)
    assert (notice.status, notice.reason_code) == (Status.WAITING, "busy")
    assert answer in notice.reason
    deliver_at(notice.next_attempt_at)
    assert fresh(notice).status == Status.DELIVERED


def test_after_ten_attempts_a_person_has_to_look(smtp_down: Sink) -> None:
    notice, at = make_notice(), AT
    for _ in range(ATTEMPTS):
        deliver_at(at)
        notice = fresh(notice)
        at = notice.next_attempt_at
    assert notice.status == Status.FAILED
    assert len(attempts_of(notice)) == notice.attempts_made == ATTEMPTS


def test_a_channel_that_fails_five_times_in_a_row_rests_and_costs_no_further_attempts(smtp_down: Sink) -> None:
    for _ in range(12):
        make_notice()
    deliver_at(AT)
    state = ChannelState.objects.get(channel="email")
    assert state.failures == 5
    assert state.opened_until is not None
    assert state.opened_until > AT
    assert "cannot be reached" in state.reason
    assert Notification.objects.filter(attempts_made=1).count() == 5
    assert Notification.objects.filter(attempts_made=0, leased_until=None, status=Status.WAITING).count() == 7
    deliver_at(AT + timedelta(seconds=1))
    put_off = Notification.objects.filter(attempts_made=0)
    assert set(put_off.values_list("next_attempt_at", flat=True)) == {state.opened_until}
    with listening(smtp_down):
        deliver_at(state.opened_until + timedelta(minutes=1))
    assert set(Notification.objects.values_list("status", flat=True)) == {Status.DELIVERED}
    state.refresh_from_db()
    assert (state.failures, state.opened_until) == (0, None)


def test_a_worker_that_died_while_sending_leaves_its_mark_and_another_one_sends_again(smtp: Sink) -> None:
    notice = make_notice()
    hold(notice)
    assert deliver_at(AT + LEASE - timedelta(seconds=1)) == 0, "the lease still runs"
    deliver_at(AT + LEASE)
    notice = fresh(notice)
    assert notice.status == Status.DELIVERED
    assert attempts_of(notice) == [(False, LOST), (True, "")]
    assert notice.attempts.earliest("pk").at == AT
    assert len(smtp.messages) == 1


def test_what_a_dead_worker_had_only_put_by_is_no_attempt(smtp: Sink) -> None:
    notice = make_notice()
    Notification.objects.filter(pk=notice.pk).update(leased_until=AT + LEASE)
    deliver_at(AT + LEASE)
    assert attempts_of(notice) == [(True, "")]


def test_a_notice_that_kills_every_worker_is_given_up(smtp: Sink) -> None:
    notice = make_notice()
    hold(notice, attempts_made=ATTEMPTS)
    deliver_at(AT + LEASE)
    notice = fresh(notice)
    assert (notice.status, notice.reason) == (Status.FAILED, LOST)
    assert not smtp.messages


@pytest.mark.parametrize("answer", ["250 taken", "450 busy"])
def test_a_worker_slower_than_its_lease_changes_the_notice_only_if_it_delivered(
    smtp: Sink, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = make_notice()
    smtp.answers = [answer]
    taken = smtp.handle_DATA

    async def slow(*arguments: Any) -> str:
        other = threading.Thread(target=_hold_elsewhere, args=[notice])
        other.start()
        other.join(timeout=5)
        return await taken(*arguments)

    monkeypatch.setattr(smtp, "handle_DATA", slow)
    deliver_at(AT)
    notice = fresh(notice)
    delivered = answer.startswith("2")
    assert notice.status == (Status.DELIVERED if delivered else Status.WAITING)
    assert notice.leased_until == (None if delivered else AT + 2 * LEASE), "the other worker keeps its lease"


def _hold_elsewhere(notice: Notification) -> None:
    try:
        hold(notice, at=AT + LEASE, attempts_made=2)
    finally:
        connections.close_all()


def test_a_lease_that_runs_out_is_given_back_before_the_next_message(smtp: Sink) -> None:
    for _ in range(4):
        make_notice()
    times = ticking(LEASE / 4)
    deliver(clock=lambda: next(times))
    assert 0 < len(smtp.messages) < 4
    assert not Notification.objects.exclude(leased_until=None).exists()
    deliver_at(AT + timedelta(hours=1))
    assert len(smtp.messages) == 4


def test_one_run_ends_after_four_minutes_and_leaves_the_rest_to_the_next(
    smtp: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "BATCH", 1)
    for _ in range(10):
        make_notice()
    times = ticking(LONGEST / 20)
    deliver(clock=lambda: next(times))
    assert 0 < len(smtp.messages) < 10


def ticking(step: timedelta) -> Iterator[datetime]:
    """Every look at the clock finds it so much later."""
    at = AT
    while True:
        yield at
        at += step


def test_a_notice_to_a_domain_that_turned_out_to_be_affected_is_held_back(smtp: Sink, settings: Settings) -> None:
    notice = make_notice()
    settings.INSTITUTION_MAIL_DOMAINS = ["parliament.example", "responders.example"]
    deliver_at(AT)
    notice = fresh(notice)
    assert (notice.status, notice.reason_code) == (Status.HELD, "untrusted")
    assert notice.reason == "inside the affected system"
    assert not smtp.messages


def test_a_domain_that_the_incident_does_not_trust_is_held_back_too(smtp: Sink) -> None:
    other, notice = make_notice(), make_notice()
    notice.incident.untrusted_domains = ["Responders.Example."]
    notice.incident.save()
    deliver_at(AT)
    assert fresh(notice).reason == "inside the affected system"
    assert fresh(other).status == Status.DELIVERED


@pytest.mark.parametrize("how", ["left", "switched off"])
def test_who_left_the_incident_since_hears_no_more_of_it(smtp: Sink, how: str) -> None:
    notice = make_notice()
    if how == "left":
        notice.incident.memberships.update(ended_at=AT)
    else:
        User.objects.filter(pk=notice.recipient_id).update(is_active=False)
    deliver_at(AT)
    notice = fresh(notice)
    assert (notice.status, notice.reason) == (Status.DROPPED, "not in the incident")
    assert not smtp.messages


def test_what_is_too_old_to_be_of_use_is_dropped_and_says_so(smtp: Sink) -> None:
    notice = make_notice()
    deliver_at(AT + timedelta(days=120))
    notice = fresh(notice)
    assert (notice.status, notice.reason_code, notice.reason) == (Status.DROPPED, "expired", "too old to be of use")
    assert not smtp.messages


def test_a_mail_of_an_incident_kept_close_says_that_there_is_something_and_not_what(smtp: Sink) -> None:
    notice = make_notice(title="Passwords of members were guessed")
    deliver_at(AT)
    mail = smtp.messages[0]
    assert mail["Subject"] == f"TLP:AMBER {notice.incident.reference}: look in IR Portal."
    assert mail.get_content().strip() == mail["Subject"]
    assert "you were added" in fresh(notice).subject, "the portal itself keeps and shows all of it"


def test_a_label_that_was_raised_since_counts(smtp: Sink) -> None:
    notice = make_notice(tlp="GREEN")
    notice.incident.tlp = "RED"
    notice.incident.save()
    deliver_at(AT)
    assert "you were added" not in smtp.messages[0].as_string()


def test_a_mail_of_an_open_incident_says_all(smtp: Sink) -> None:
    notice = make_notice(tlp="GREEN", user=make_user(name="Amina Rahman"))
    deliver_at(AT)
    assert smtp.messages[0]["Subject"] == notice.subject
    assert "Amina Rahman, you were added to this incident." in smtp.messages[0].get_content()


def test_queries_of_a_claim_do_not_grow_with_its_notices(smtp: Sink, django_assert_max_num_queries: Any) -> None:
    for _ in range(10):
        make_notice()
    with django_assert_max_num_queries(10 + 24):
        deliver(clock=standing(AT))
    assert len(smtp.messages) == 10


def test_waits_double_up_to_an_hour_and_differ_by_the_notices_own_key() -> None:
    waits = [wait_after(number, "0000" + "a" * 60) for number in range(1, 11)]
    assert [wait.total_seconds() for wait in waits] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert wait_after(1, "f" * 64) == timedelta(seconds=22.5)

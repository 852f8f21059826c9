"""Who is on call."""

from datetime import UTC, datetime, timedelta

from runbooks.access.models import User
from runbooks.contacts.queries import on_call
from tests.contacts.people import make_rota, make_shift

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
WEEK, HOUR = timedelta(days=7), timedelta(hours=1)


def test_a_shift_begins_sharply_and_ends_sharply(responder: User, desk: User) -> None:
    rota = make_rota()
    make_shift(rota, responder, MONDAY, MONDAY + WEEK)
    make_shift(rota, desk, MONDAY + WEEK, MONDAY + 2 * WEEK)
    assert on_call(rota.pk, MONDAY - timedelta(microseconds=1)) is None
    assert on_call(rota.pk, MONDAY) == responder.pk
    assert on_call(rota.pk, MONDAY + WEEK - timedelta(microseconds=1)) == responder.pk
    assert on_call(rota.pk, MONDAY + WEEK) == desk.pk
    assert on_call(rota.pk, MONDAY + 2 * WEEK) is None


def test_the_shift_added_later_stands_in(responder: User, desk: User) -> None:
    rota = make_rota()
    make_shift(rota, desk, MONDAY + HOUR, MONDAY + 2 * HOUR, added_at=MONDAY)
    make_shift(rota, responder, MONDAY, MONDAY + WEEK)
    assert on_call(rota.pk, MONDAY + HOUR) == desk.pk
    assert on_call(rota.pk, MONDAY + 2 * HOUR) == responder.pk


def test_of_two_added_at_once_the_second_counts(responder: User, desk: User) -> None:
    rota = make_rota()
    make_shift(rota, responder, MONDAY, MONDAY + WEEK)
    make_shift(rota, desk, MONDAY, MONDAY + WEEK)
    assert on_call(rota.pk, MONDAY) == desk.pk


def test_a_shift_taken_back_does_not_count(responder: User, desk: User) -> None:
    rota = make_rota()
    make_shift(rota, responder, MONDAY, MONDAY + WEEK)
    make_shift(rota, desk, MONDAY, MONDAY + WEEK, ended_at=MONDAY)
    assert on_call(rota.pk, MONDAY + HOUR) == responder.pk


def test_who_may_not_sign_in_any_more_is_passed_over(responder: User, desk: User) -> None:
    rota = make_rota()
    make_shift(rota, responder, MONDAY, MONDAY + WEEK)
    make_shift(rota, desk, MONDAY, MONDAY + WEEK)
    desk.is_active = False
    desk.save()
    assert on_call(rota.pk, MONDAY) == responder.pk


def test_nobody_is_on_call_in_a_rota_that_ended_or_never_was(responder: User) -> None:
    rota = make_rota(ended_at=MONDAY)
    make_shift(rota, responder, MONDAY, MONDAY + WEEK)
    assert on_call(rota.pk, MONDAY) is None
    assert on_call(rota.pk + 1000, MONDAY) is None


def test_rotas_do_not_mix(responder: User, desk: User) -> None:
    one, other = make_rota(), make_rota("In hours")
    make_shift(one, responder, MONDAY, MONDAY + WEEK)
    make_shift(other, desk, MONDAY, MONDAY + WEEK)
    assert (on_call(one.pk, MONDAY), on_call(other.pk, MONDAY)) == (responder.pk, desk.pk)

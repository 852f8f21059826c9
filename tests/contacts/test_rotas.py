"""Making rotas and filling them: the operations."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.contacts.models import Rota, RotaShift
from runbooks.contacts.operations import add_shift, add_weeks, end_rota, make_rota, take_shift_back
from runbooks.contacts.operations.rotas import CannotChangeRotaError
from runbooks.contacts.operations.shifts import ShiftIsOverError
from runbooks.contacts.queries import on_call
from runbooks.errors import NotAllowedError, NotFoundError
from tests.contacts.people import make_rota as a_rota
from tests.contacts.people import make_shift
from tests.factories import make_user

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def shift(by: User, rota: Rota, user: User, **changes: Any) -> RotaShift:
    given = {"starts_at": NOW + HOUR, "ends_at": NOW + DAY, **changes}
    return add_shift(rota_id=rota.pk, user_id=user.pk, actor=actor_for(by), at=NOW, **given)


def weeks(by: User, rota: Rota, *people: User, **changes: Any) -> list[RotaShift]:
    given = {"first_day": date(2026, 3, 9), "hand_over": time(9), "weeks": 4, **changes}
    return add_weeks(rota_id=rota.pk, user_ids=[user.pk for user in people], actor=actor_for(by), at=NOW, **given)


def test_a_rota_says_who_made_it_and_when(administrator: User) -> None:
    rota = make_rota(name="  Lead  at night ", time_zone="Europe/London", actor=actor_for(administrator), at=NOW)
    kept = Rota.objects.get(pk=rota.pk)
    assert (kept.name, kept.made_by, kept.made_at) == ("Lead at night", administrator.name, NOW)


@pytest.mark.parametrize(
    ("name", "zone", "field"),
    [(" ", "Europe/London", "name"), ("x" * 81, "Europe/London", "name"), ("Night", "Europe/Nowhere", "time_zone")],
)
def test_a_rota_needs_a_name_and_a_zone(name: str, zone: str, field: str, coordinator: User) -> None:
    with pytest.raises(CannotChangeRotaError) as raised:
        make_rota(name=name, time_zone=zone, actor=actor_for(coordinator), at=NOW)
    assert raised.value.field == field
    assert not Rota.objects.exists()


def test_no_two_rotas_have_one_name_ended_ones_counted(coordinator: User) -> None:
    a_rota("Night", ended_at=NOW)
    with pytest.raises(CannotChangeRotaError):
        make_rota(name="Night", time_zone="UTC", actor=actor_for(coordinator), at=NOW)


@pytest.mark.parametrize("role", [Role.RESPONDER, Role.DESK, Role.COMMUNICATIONS, Role.AUDITOR])
def test_only_coordinators_and_administrators_decide_who_is_on_call(role: Role, db: None) -> None:
    user, rota = make_user(role), a_rota()
    mine = make_shift(rota, user, NOW, NOW + DAY)
    actor = actor_for(user)
    with pytest.raises(NotAllowedError):
        make_rota(name="Mine", time_zone="UTC", actor=actor, at=NOW)
    with pytest.raises(NotAllowedError):
        shift(user, rota, user)
    with pytest.raises(NotAllowedError):
        weeks(user, rota, user)
    with pytest.raises(NotAllowedError):
        take_shift_back(rota_id=rota.pk, shift_id=mine.pk, actor=actor, at=NOW)
    with pytest.raises(NotAllowedError):
        end_rota(rota_id=rota.pk, actor=actor, at=NOW)
    assert RotaShift.objects.get().ended_at is None


def test_a_stand_in_is_a_shift_added_over_another(coordinator: User, responder: User, desk: User) -> None:
    rota = a_rota()
    shift(coordinator, rota, responder)
    shift(coordinator, rota, desk, starts_at=NOW + 2 * HOUR, ends_at=NOW + 3 * HOUR)
    assert on_call(rota.pk, NOW + HOUR) == responder.pk
    assert on_call(rota.pk, NOW + 2 * HOUR) == desk.pk
    assert on_call(rota.pk, NOW + 3 * HOUR) == responder.pk


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ends_at": NOW + HOUR}, "ends_at"),
        ({"ends_at": NOW}, "ends_at"),
        ({"ends_at": NOW + timedelta(days=32)}, "ends_at"),
        ({"starts_at": NOW - DAY, "ends_at": NOW - HOUR}, "ends_at"),
        ({"starts_at": NOW + timedelta(days=800), "ends_at": NOW + timedelta(days=801)}, "starts_at"),
    ],
)
def test_a_shift_has_a_length_and_a_future(
    changes: dict[str, datetime], field: str, coordinator: User, responder: User
) -> None:
    with pytest.raises(CannotChangeRotaError) as raised:
        shift(coordinator, a_rota(), responder, **changes)
    assert raised.value.field == field
    assert not RotaShift.objects.exists()


def test_nobody_is_put_on_call_who_may_not_sign_in(coordinator: User) -> None:
    rota, gone = a_rota(), make_user(is_active=False)
    with pytest.raises(CannotChangeRotaError):
        shift(coordinator, rota, gone)
    with pytest.raises(CannotChangeRotaError):
        weeks(coordinator, rota, coordinator, gone)
    assert not RotaShift.objects.exists()


def test_weeks_go_round_and_are_handed_over_by_the_clock_over_summer_time(
    coordinator: User, responder: User, desk: User
) -> None:
    rota = a_rota()
    shifts = weeks(coordinator, rota, responder, desk)
    assert [(one.user_id, one.starts_at) for one in shifts] == [
        (responder.pk, datetime(2026, 3, 9, 9, tzinfo=UTC)),
        (desk.pk, datetime(2026, 3, 16, 9, tzinfo=UTC)),
        (responder.pk, datetime(2026, 3, 23, 9, tzinfo=UTC)),
        (desk.pk, datetime(2026, 3, 30, 8, tzinfo=UTC)),  # 09:00 still, an hour of summer time earlier
    ]
    assert [one.ends_at - one.starts_at for one in shifts] == [7 * DAY, 7 * DAY, 7 * DAY - HOUR, 7 * DAY]
    assert [one.ends_at for one in shifts[:-1]] == [one.starts_at for one in shifts[1:]]


def test_no_minute_of_the_weeks_is_without_anybody_in_autumn_either(coordinator: User, responder: User) -> None:
    rota = a_rota()
    shifts = weeks(coordinator, rota, responder, first_day=date(2026, 10, 18), hand_over=time(1, 30), weeks=2)
    assert shifts[0].ends_at == shifts[1].starts_at
    assert shifts[0].ends_at - shifts[0].starts_at == 7 * DAY  # to the first 01:30 of that night
    assert shifts[1].ends_at - shifts[1].starts_at == 7 * DAY + HOUR


def test_a_hand_over_at_a_time_the_clock_leaves_out_is_the_moment_of_the_jump(
    coordinator: User, responder: User
) -> None:
    shifts = weeks(coordinator, a_rota(), responder, first_day=date(2026, 3, 29), hand_over=time(1, 30), weeks=1)
    assert shifts[0].starts_at == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_weeks_that_are_over_already_are_left_out(coordinator: User, responder: User, desk: User) -> None:
    shifts = weeks(coordinator, a_rota(), responder, desk, first_day=date(2026, 2, 16), weeks=3)
    assert [one.user_id for one in shifts] == [responder.pk]
    assert shifts[0].starts_at == datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"weeks": 0}, "weeks"),
        ({"weeks": 105}, "weeks"),
        ({"first_day": date(2026, 1, 5), "weeks": 2}, "first_day"),
        ({"first_day": date(2030, 1, 5)}, "first_day"),
        ({"first_day": date(9999, 12, 31)}, "first_day"),
        ({"first_day": date(1, 1, 1)}, "first_day"),
    ],
)
def test_weeks_are_some_and_not_over(changes: dict[str, Any], field: str, coordinator: User, responder: User) -> None:
    with pytest.raises(CannotChangeRotaError) as raised:
        weeks(coordinator, a_rota(), responder, **changes)
    assert raised.value.field == field


def test_weeks_need_somebody(coordinator: User) -> None:
    with pytest.raises(CannotChangeRotaError):
        weeks(coordinator, a_rota())


def test_a_shift_taken_back_does_not_count_from_then_on(coordinator: User, responder: User, desk: User) -> None:
    rota = a_rota()
    shift(coordinator, rota, responder)
    stand_in = shift(coordinator, rota, desk)
    later = NOW + 5 * HOUR
    take_shift_back(rota_id=rota.pk, shift_id=stand_in.pk, actor=actor_for(coordinator), at=later)
    assert on_call(rota.pk, later - HOUR) == desk.pk
    assert on_call(rota.pk, later) == responder.pk
    with pytest.raises(NotFoundError):
        take_shift_back(rota_id=rota.pk, shift_id=stand_in.pk, actor=actor_for(coordinator), at=later)


def test_a_shift_that_is_over_stays_on_record(coordinator: User, responder: User) -> None:
    rota = a_rota()
    past = make_shift(rota, responder, NOW - DAY, NOW)
    with pytest.raises(ShiftIsOverError):
        take_shift_back(rota_id=rota.pk, shift_id=past.pk, actor=actor_for(coordinator), at=NOW)


def test_a_shift_is_taken_back_in_its_own_rota_only(coordinator: User, responder: User) -> None:
    one, other = a_rota(), a_rota("Other")
    added = shift(coordinator, one, responder)
    with pytest.raises(NotFoundError):
        take_shift_back(rota_id=other.pk, shift_id=added.pk, actor=actor_for(coordinator), at=NOW)


def test_an_ended_rota_takes_no_shifts_and_is_not_ended_twice(coordinator: User, responder: User) -> None:
    rota = a_rota()
    shift(coordinator, rota, responder)
    end_rota(rota_id=rota.pk, actor=actor_for(coordinator), at=NOW + 2 * HOUR)
    assert on_call(rota.pk, NOW + 2 * HOUR) is None
    with pytest.raises(NotFoundError):
        shift(coordinator, rota, responder)
    with pytest.raises(NotFoundError):
        end_rota(rota_id=rota.pk, actor=actor_for(coordinator), at=NOW + 3 * HOUR)

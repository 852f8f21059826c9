"""Shifts: one, or a hand-over every week. Whoever is added over somebody stands in for them."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import cycle, islice
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction

from runbooks.access.models import User
from runbooks.access.permissions import Actor, require
from runbooks.contacts.models import RotaShift
from runbooks.contacts.operations.rotas import CannotChangeRotaError, current_rota
from runbooks.contacts.queries.quiet import reading
from runbooks.contacts.zones import YEARS
from runbooks.errors import DomainError, NotFoundError

LONGEST: Final = timedelta(days=31)
AHEAD: Final = timedelta(days=2 * 366)
WEEKS_MOST: Final = 104
PEOPLE_MOST: Final = 30
WEEK: Final = timedelta(days=7)


class ShiftIsOverError(DomainError):
    """What was, was: who was on call then stays on record."""


@transaction.atomic
def add_shift(
    *, rota_id: int, user_id: int, starts_at: datetime, ends_at: datetime, actor: Actor, at: datetime
) -> RotaShift:
    """This person is on call from then until then, instead of whoever was added before for that time."""
    require(actor, "manage_rotas")
    rota = current_rota(rota_id)
    if ends_at <= starts_at:
        raise CannotChangeRotaError("ends_at", "The end is not after the start.")
    if ends_at - starts_at > LONGEST:
        raise CannotChangeRotaError("ends_at", f"A shift is at most {LONGEST.days} days. Add the next one after it.")
    if ends_at <= at:
        raise CannotChangeRotaError("ends_at", "That is over already: a shift ends in the future.")
    if starts_at > at + AHEAD:
        raise CannotChangeRotaError("starts_at", "That is more than two years ahead.")
    user = _people([user_id], "user")[0]
    return RotaShift.objects.create(
        rota=rota, user=user, starts_at=starts_at, ends_at=ends_at, added_by=actor.name[:160], added_at=at
    )


@transaction.atomic
def add_weeks(
    *,
    rota_id: int,
    user_ids: Sequence[int],
    first_day: date,
    hand_over: time,
    weeks: int,
    actor: Actor,
    at: datetime,
) -> list[RotaShift]:
    """One person a week, in this order and then from the first again, handed over at the same time by the rota's clock.

    A week with a change of summer time is an hour shorter or longer, so that no minute is left without anybody.
    """
    require(actor, "manage_rotas")
    rota = current_rota(rota_id)
    if not 1 <= weeks <= WEEKS_MOST:
        raise CannotChangeRotaError("weeks", f"Write a number of weeks from 1 to {WEEKS_MOST}.")
    if first_day.year not in YEARS:
        raise CannotChangeRotaError("first_day", f"Write a year from {YEARS[0]} to {YEARS[-1]}.")
    people = _people(user_ids, "people")
    zone = ZoneInfo(rota.time_zone)
    days = [first_day + number * WEEK for number in range(weeks + 1)]
    hand_overs = [reading(day, hand_over, zone, later=False) for day in days]
    if hand_overs[-1] <= at:
        raise CannotChangeRotaError("first_day", "All of these weeks are over already.")
    if hand_overs[0] > at + AHEAD:
        raise CannotChangeRotaError("first_day", "That is more than two years ahead.")
    turns = islice(cycle(people), weeks)
    added = {"rota": rota, "added_by": actor.name[:160], "added_at": at}
    shifts = [
        RotaShift(user=user, starts_at=starts_at, ends_at=ends_at, **added)
        for user, starts_at, ends_at in zip(turns, hand_overs[:-1], hand_overs[1:], strict=True)
        if ends_at > at
    ]
    return RotaShift.objects.bulk_create(shifts)


@transaction.atomic
def take_shift_back(*, rota_id: int, shift_id: int, actor: Actor, at: datetime) -> RotaShift:
    """From now on the shift does not count: whoever it stood in for is on call again, or nobody."""
    require(actor, "manage_rotas")
    rota = current_rota(rota_id)
    shifts = RotaShift.objects.select_for_update(of=("self",)).select_related("user")
    shift = shifts.filter(pk=shift_id, rota=rota, ended_at__isnull=True).first()
    if shift is None:
        raise NotFoundError("There is no such shift, or it was taken back already.")
    if shift.ends_at <= at:
        raise ShiftIsOverError("That shift is over. Who was on call then stays on record.")
    shift.ended_at = at
    shift.save(update_fields=["ended_at"])
    return shift


def _people(user_ids: Sequence[int], field: str) -> list[User]:
    """Those who may sign in, in this order."""
    if not 1 <= len(user_ids) <= PEOPLE_MOST:
        raise CannotChangeRotaError(field, f"Choose 1 to {PEOPLE_MOST} people.")
    known = User.objects.filter(is_active=True).in_bulk(list(set(user_ids)))
    if any(user_id not in known for user_id in user_ids):
        raise CannotChangeRotaError(field, "Choose people who may sign in to the portal.")
    return [known[user_id] for user_id in user_ids]

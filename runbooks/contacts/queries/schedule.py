"""What a rota comes to: who is really on call from when until when, stand-ins counted in, and when nobody is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Final

from django.db.models import QuerySet

from runbooks.access.models import User
from runbooks.contacts.models import Rota, RotaShift
from runbooks.contacts.queries.on_call import still
from runbooks.errors import NotFoundError

GAPS_AHEAD: Final = timedelta(days=14)
PAGE: Final = 50
Place = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody, or nobody, without a break."""

    starts_at: datetime
    ends_at: datetime
    user_id: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A rota as it stands: who is on call, who is next, and when nobody is within the next 14 days."""

    rota: Rota
    now: Turn
    next: Turn | None
    gaps: list[Turn]


def standings(at: datetime) -> list[Standing]:
    """All rotas that have not ended, by name, in two queries."""
    rotas = list(Rota.objects.filter(ended_at__isnull=True).order_by("name"))
    shifts: dict[int, list[RotaShift]] = {rota.pk: [] for rota in rotas}
    for shift in _counting(at, at + GAPS_AHEAD).filter(rota__in=rotas):
        shifts[shift.rota_id].append(shift)
    return [_standing(rota, shifts[rota.pk], at) for rota in rotas]


def rota_for(rota_id: int) -> Rota:
    rota = Rota.objects.filter(pk=rota_id, ended_at__isnull=True).first()
    if rota is None:
        raise NotFoundError("There is no such rota, or it has ended.")
    return rota


def standing(rota: Rota, at: datetime) -> Standing:
    return _standing(rota, list(_counting(at, at + GAPS_AHEAD).filter(rota=rota)), at)


def turns(rota: Rota, begin: datetime, end: datetime) -> list[Turn]:
    """Who is on call in this stretch, from its beginning to its end; of at most a few hundred shifts."""
    return _turns(list(_counting(begin, end).filter(rota=rota)), begin, end)


def coming_shifts(rota: Rota, at: datetime, *, after: Place | None) -> tuple[list[RotaShift], Place | None]:
    """Shifts that are not over, taken-back ones left out, soonest first; and where the next page begins."""
    rows = RotaShift.objects.filter(rota=rota, ended_at__isnull=True, ends_at__gt=at).select_related("user")
    if after is not None:
        starts_at, shift_id = after
        rows = rows.filter(starts_at__gte=starts_at).exclude(starts_at=starts_at, pk__lte=shift_id)
    found = list(rows.order_by("starts_at", "pk")[: PAGE + 1])
    place = (found[PAGE - 1].starts_at, found[PAGE - 1].pk) if len(found) > PAGE else None
    return found[:PAGE], place


def may_be_on_call() -> list[tuple[int, str]]:
    """Everybody who may sign in, by name."""
    return list(User.objects.filter(is_active=True).order_by("name", "pk").values_list("pk", "name"))


def _counting(begin: datetime, end: datetime) -> QuerySet[RotaShift]:
    """Shifts that counted, or count, at some moment of this stretch."""
    rows = RotaShift.objects.filter(starts_at__lt=end, ends_at__gt=begin, user__is_active=True)
    return rows.filter(still("ended_at", begin)).select_related("user")


def _standing(rota: Rota, shifts: Sequence[RotaShift], at: datetime) -> Standing:
    found = _turns(shifts, at, at + GAPS_AHEAD)
    later = next((turn for turn in found[1:] if turn.user_id is not None), None)
    return Standing(rota, found[0], later, [turn for turn in found if turn.user_id is None])


def _turns(shifts: Sequence[RotaShift], begin: datetime, end: datetime) -> list[Turn]:
    edges = {begin, end}
    for shift in shifts:
        edges |= {edge for edge in (shift.starts_at, _until(shift)) if begin < edge < end}
    moments = sorted(edges)
    return list(_joined(_turn(shifts, *stretch) for stretch in pairwise(moments)))


def _turn(shifts: Iterable[RotaShift], begin: datetime, end: datetime) -> Turn:
    """Of a stretch within which nothing changes."""
    over = [shift for shift in shifts if shift.starts_at <= begin and _until(shift) >= end]
    if not over:
        return Turn(begin, end, None, "")
    counts = max(over, key=lambda shift: (shift.added_at, shift.pk))
    return Turn(begin, end, counts.user_id, str(counts.user))


def _until(shift: RotaShift) -> datetime:
    return min(shift.ends_at, shift.ended_at or shift.ends_at)


def _joined(found: Iterable[Turn]) -> Iterator[Turn]:
    """Stretches of one person that follow each other are one turn."""
    for _, group in groupby(found, key=lambda turn: turn.user_id):
        stretches = list(group)
        yield replace(stretches[0], ends_at=stretches[-1].ends_at)

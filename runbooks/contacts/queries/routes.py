"""By which ways each of many people is told: their own rules, or what stands in for them."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from runbooks.access.models import User
from runbooks.contacts.models import ContactPoint, ContactPreferences, ContactRule
from runbooks.contacts.queries.quiet import Quiet

DEFAULT, IMPORTANT = ContactRule.Importance.DEFAULT, ContactRule.Importance.IMPORTANT
BETWEEN_IMPORTANT: Final = timedelta(minutes=5)
AT_ONCE: Final = timedelta()
LANGUAGE: Final = "en-gb"
# Without rules of one's own: what is written in full first, then what rings in a pocket.
RANKS: Final = {"email": 0, "text": 2, "voice": 3}
OTHERS: Final = 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a notice goes, and how long after the place before; without a wait only when that one failed.

    Without `point_id` it is the address an administrator entered, which nobody has verified.
    """

    point_id: UUID | None
    channel: str
    address: str
    wait: timedelta


@dataclass(frozen=True, slots=True)
class Routes:
    """How one person is told, in this order. No place at all: there is no way to reach them."""

    default: list[Place]
    important: list[Place]
    language: str
    quiet: Quiet | None


def routes_of(user_ids: Collection[int]) -> Mapping[int, Routes]:
    """The routes of all these people, in four queries at most, however many they are.

    A person's own lines count as far as their points are verified and not ended. Without such lines every verified
    point is used, those that last failed at the end. Without any point it is the address that an administrator
    entered: on the worst night one that somebody vouched for is better than silence.
    """
    wanted = set(user_ids)
    points = _points(wanted)
    rules = _rules(wanted)
    kept = {row.user_id: row for row in ContactPreferences.objects.filter(user_id__in=wanted)}
    entered = _entered(wanted - points.keys())
    return {
        user_id: Routes(
            default=_route(rules[user_id, DEFAULT], points[user_id], AT_ONCE) or entered.get(user_id, []),
            important=_route(rules[user_id, IMPORTANT], points[user_id], BETWEEN_IMPORTANT) or entered.get(user_id, []),
            language=kept[user_id].language if user_id in kept else LANGUAGE,
            quiet=quiet_of(kept[user_id]) if user_id in kept else None,
        )
        for user_id in wanted
    }


def quiet_of(preferences: ContactPreferences) -> Quiet | None:
    """None where the person wants none."""
    begins, ends = preferences.quiet_from, preferences.quiet_until
    if begins is None or ends is None:
        return None
    return Quiet(begins, ends, ZoneInfo(preferences.time_zone))


def _points(user_ids: set[int]) -> Mapping[int, dict[UUID, Place]]:
    """The verified points of each, in the order in which they are used where a person has no rules."""
    found: dict[int, dict[UUID, Place]] = defaultdict(dict)
    rows = ContactPoint.objects.filter(user_id__in=user_ids, verified_at__isnull=False, ended_at__isnull=True)
    columns = rows.values_list("user_id", "pk", "channel", "address", "failing_since", "verified_at")
    ordered = sorted(columns, key=lambda row: (row[4] is not None, RANKS.get(row[2], OTHERS), row[5], row[1]))
    for user_id, point_id, channel, address, _, _ in ordered:
        found[user_id][point_id] = Place(point_id, channel, address, AT_ONCE)
    return found


def _rules(user_ids: set[int]) -> Mapping[tuple[int, str], list[tuple[UUID, timedelta]]]:
    found: dict[tuple[int, str], list[tuple[UUID, timedelta]]] = defaultdict(list)
    rows = ContactRule.objects.filter(user_id__in=user_ids).order_by("position")
    for user_id, importance, point_id, minutes in rows.values_list("user_id", "importance", "point_id", "wait_minutes"):
        found[user_id, importance].append((point_id, timedelta(minutes=minutes)))
    return found


def _entered(user_ids: set[int]) -> Mapping[int, list[Place]]:
    """What an administrator entered for those without a point of their own."""
    if not user_ids:
        return {}
    rows = User.objects.filter(pk__in=user_ids).values_list("pk", "email")
    return {user_id: [Place(None, "email", email.strip(), AT_ONCE)] for user_id, email in rows if email.strip()}


def _route(lines: list[tuple[UUID, timedelta]], points: dict[UUID, Place], between: timedelta) -> list[Place]:
    """The person's lines, or all points; the first place waits for nothing."""
    own = [replace(points[point_id], wait=wait) for point_id, wait in lines if point_id in points]
    places = own or [replace(place, wait=between) for place in points.values()]
    return [replace(place, wait=AT_ONCE) for place in places[:1]] + places[1:]

"""Who cannot be reached: found out before the incident, not in it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import groupby
from typing import Final, Protocol
from uuid import UUID

from django.db.models import FilteredRelation, Q, QuerySet

from runbooks.access.models import Role, User
from runbooks.contacts.models import ContactPoint
from runbooks.contacts.queries import Place
from runbooks.notifications.channels.base import Reason
from runbooks.notifications.operations.announcing import working_in
from runbooks.notifications.own_contacts import label_of, shown_of
from runbooks.notifications.routing import refusal_of, untrusted_in

PAGE: Final = 50
ROLES: Final = dict(Role.choices)
AT_ONCE: Final = timedelta(0)
PERSON: Final = ("pk", "name", "username", "role", "telephone", "email")
POINT: Final = ("pk", "channel", "address", "verified_at", "failing_since", "failed_because")


class Trouble(StrEnum):
    """Why somebody has no way that works, worst first."""

    NOTHING = "nothing"
    INSIDE = "inside"
    FAILING = "failing"
    NOT_SET_UP = "not_set_up"
    MIXED = "mixed"
    UNVERIFIED = "unverified"


TITLES: Final[Mapping[Trouble, str]] = {
    Trouble.NOTHING: "No way at all",
    Trouble.INSIDE: "Only inside the affected system",
    Trouble.FAILING: "Every way failed last",
    Trouble.NOT_SET_UP: "Only by channels that are not set up",
    Trouble.MIXED: "No way that works",
    Trouble.UNVERIFIED: "Not verified",
}
# With these nobody is told; the last one is an address that at least an administrator vouched for.
HOPELESS: Final = frozenset(Trouble) - {Trouble.UNVERIFIED}


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Somebody whom no way surely reaches, and why in a sentence."""

    user_id: int
    name: str
    role: str
    telephone: str
    trouble: Trouble
    why: str


class Wary(Protocol):
    """An incident, as far as it says who is in it and what not to trust."""

    id: UUID
    untrusted_domains: list[str]


@dataclass(frozen=True, slots=True)
class ReachPage:
    """One page of people by name, how many there are in all by trouble, and where the next page begins."""

    people: list[Unreachable]
    counts: Mapping[Trouble, int]
    everybody: int
    after: int | None


def unreachable_members(incident: Wary) -> list[Unreachable]:
    """Those who work in the incident and whom no way surely reaches; in one query."""
    return _judged(working_in(incident.id), untrusted_in(incident))[0]


def unreachable_count() -> int:
    """Of everybody who may sign in; in one query."""
    return len(_judged(User.objects.filter(is_active=True), untrusted_in(None))[0])


def reach_page(*, trouble: str, role: str, text: str, after: int | None) -> ReachPage:
    """Narrowed to a trouble, a role, a part of the name; `after` is the last person of the page before."""
    found, everybody = _judged(User.objects.filter(is_active=True), untrusted_in(None))
    narrowed = [one for one in found if (not role or one.role == role) and text.casefold() in one.name.casefold()]
    counts: dict[Trouble, int] = dict.fromkeys(Trouble, 0)
    for one in narrowed:
        counts[one.trouble] += 1
    begin = everybody.index(after) if after in everybody else -1
    place_of = {user_id: place for place, user_id in enumerate(everybody)}
    shown = [one for one in narrowed if (not trouble or one.trouble == trouble) and place_of[one.user_id] > begin]
    people = shown[:PAGE]
    return ReachPage(people, counts, len(everybody), people[-1].user_id if len(shown) > PAGE else None)


def _judged(people: QuerySet[User], untrusted: Collection[str]) -> tuple[list[Unreachable], list[int]]:
    """Those whom nothing surely reaches, and the numbers of all who were looked at; both by name. One query."""
    current = FilteredRelation("contact_points", condition=Q(contact_points__ended_at__isnull=True))
    rows = (
        people.annotate(point=current).order_by("name", "pk").values_list(*PERSON, *(f"point__{one}" for one in POINT))
    )
    found, everybody = [], []
    for person, group in groupby(rows, key=lambda row: row[: len(PERSON)]):
        user_id, name, username, role, telephone, email = person
        points = [ContactPoint(**dict(zip(POINT, row[len(PERSON) :], strict=True))) for row in group]
        judged = _trouble([one for one in points if one.channel], email.strip(), untrusted)
        everybody.append(user_id)
        if judged is not None:
            found.append(Unreachable(user_id, name or username, role, telephone, *judged))
    return found, everybody


def _trouble(points: Sequence[ContactPoint], email: str, untrusted: Collection[str]) -> tuple[Trouble, str] | None:
    """None where one way at least works, as far as anybody knows."""
    verified = [point for point in points if point.verified_at is not None]
    if not verified:
        return _without_points(bool(points), email, untrusted)
    judged = [_of_point(point, untrusted) for point in verified]
    if None in judged:
        return None
    troubles = [one for one in judged if one is not None]
    kinds = {trouble for trouble, _ in troubles}
    said = "; ".join(sorted({words.rstrip(".") for _, words in troubles}))
    return kinds.pop() if len(kinds) == 1 else Trouble.MIXED, f"{said}."


def _of_point(point: ContactPoint, untrusted: Collection[str]) -> tuple[Trouble, str] | None:
    shown = f"{label_of(point.channel)} {shown_of(point.channel, point.address)}"
    refusal = refusal_of(Place(point.pk, point.channel, point.address, AT_ONCE), untrusted)
    if refusal is not None:
        inside = refusal.code == Reason.UNTRUSTED
        return (Trouble.INSIDE if inside else Trouble.NOT_SET_UP), f"{shown}: {refusal.sentence}."
    if point.failing_since is not None:
        return Trouble.FAILING, f"{shown}: {point.failed_because or 'did not arrive last.'}"
    return None


def _without_points(has_some: bool, email: str, untrusted: Collection[str]) -> tuple[Trouble, str]:
    begun = " A contact point was added, and its code never typed in." if has_some else ""
    if not email:
        return Trouble.NOTHING, f"No contact point, and no address on file.{begun}"
    refusal = refusal_of(Place(None, "email", email, AT_ONCE), untrusted)
    if refusal is None:
        return Trouble.UNVERIFIED, f"Only {email}, as an administrator entered it.{begun}"
    trouble = Trouble.INSIDE if refusal.code == Reason.UNTRUSTED else Trouble.NOTHING
    return trouble, f"Only {email}: {refusal.sentence}.{begun}"

"""Where a notice may go: which places of a route can be used, and which the attacker may be reading."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from runbooks.contacts.models import ContactPoint
from runbooks.contacts.queries import Place
from runbooks.notifications.channels import CHANNELS, channel
from runbooks.notifications.channels.base import BadAddressError, Reason
from runbooks.notifications.channels.domains import is_inside

NO_ADDRESS: Final = "no address on file"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a place cannot be used."""

    code: Reason
    sentence: str


def untrusted_in(incident: object) -> frozenset[str]:
    """The domains that may be read by the attacker: the institution's own, and what the incident names."""
    named = getattr(incident, "untrusted_domains", [])
    return frozenset((*settings.INSTITUTION_MAIL_DOMAINS, *named))


def refusal_of(place: Place, untrusted: Collection[str]) -> Refusal | None:
    """Why this place cannot be used; None when it can."""
    if not place.address:
        return Refusal(Reason.NO_ADDRESS, NO_ADDRESS)
    if place.channel not in CHANNELS or not channel(place.channel).is_configured():
        return Refusal(Reason.NOT_CONFIGURED, "the portal is not set up for this channel")
    by = channel(place.channel)
    try:
        address = by.clean(place.address)
    except BadAddressError as error:
        return Refusal(Reason.ADDRESS_REFUSED, f"the address on file is wrong: {error}")
    if is_inside(by.domain_of(address), untrusted):
        return Refusal(Reason.UNTRUSTED, "inside the affected system")
    return None


def first_usable(places: Sequence[Place], untrusted: Collection[str], *, begin: int = 0) -> tuple[int, Refusal | None]:
    """Which place of the route can be used, from the one numbered `begin` on; else why the first of them cannot."""
    first = Refusal(Reason.NO_ADDRESS, NO_ADDRESS)
    for position, place in enumerate(places[begin:], begin):
        refusal = refusal_of(place, untrusted)
        if refusal is None:
            return position, None
        if position == begin:
            first = refusal
    return begin, first


def kept_route(places: Iterable[Place], *, is_fixed: bool = False) -> list[dict[str, Any]]:
    """A route as the notice's row keeps it: which contact points, and never their addresses."""
    return [
        {
            "point": str(place.point_id) if place.point_id else None,
            "channel": place.channel,
            "wait": int(place.wait.total_seconds()),
        }
        | ({"fixed": True} if is_fixed else {})
        for place in places
    ]


def opened_route(
    kept: Iterable[dict[str, Any]], points: Mapping[UUID, ContactPoint], email_on_file: str
) -> list[Place]:
    """The route with its addresses as they are now. A contact point that was ended has none any more."""
    found = []
    for one in kept:
        point_id = UUID(one["point"]) if one["point"] else None
        point = points.get(point_id) if point_id else None
        is_current = one.get("fixed") or (point and point.ended_at is None and point.verified_at is not None)
        address = email_on_file if point_id is None else point.address if point and is_current else ""
        found.append(Place(point_id, one["channel"], address, timedelta(seconds=one["wait"])))
    return found

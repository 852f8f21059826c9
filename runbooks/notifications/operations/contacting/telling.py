"""A change of how somebody is reached is told by all their other ways.

Whoever stole a session first turns the notices away. What they cannot turn away is the notice of that: it goes to every
verified point but the new one, to the one that was taken out, and to the address that an administrator entered, which
nobody can change for themselves.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from runbooks.access.models import User
from runbooks.contacts.models import ContactPoint
from runbooks.contacts.queries import Place
from runbooks.notifications.channels import channel
from runbooks.notifications.models import Notification
from runbooks.notifications.operations.announcing import tell

AT_ONCE: Final = timedelta(0)
# Somebody who moves lines up and down is told once.
RULES_TOLD_EVERY: Final = timedelta(minutes=15)


def tell_added(owner: User, point: ContactPoint, *, at: datetime) -> None:
    context = {"who": owner.name, **_said_of(point)}
    _tell_each(owner, "contact.added", context, _other_places(owner, point), at=at)


def tell_ended(owner: User, point: ContactPoint, *, at: datetime) -> None:
    """The old place hears it too: it is the only way to whoever still reads there."""
    places = [*_other_places(owner, point), Place(point.pk, point.channel, point.address, AT_ONCE)]
    _tell_each(owner, "contact.ended", {"who": owner.name, **_said_of(point)}, places, at=at)


def tell_rules_changed(owner: User, what: str, *, at: datetime) -> None:
    """`what` is one of the importances, or "quiet"."""
    told = Notification.objects.filter(recipient=owner, event="contact.rules_changed")
    if not told.filter(created_at__gt=at - RULES_TOLD_EVERY).exists():
        _tell_each(owner, "contact.rules_changed", {"who": owner.name, "what": what}, _other_places(owner), at=at)


def _other_places(owner: User, changed: ContactPoint | None = None) -> list[Place]:
    """Every verified point but this one, and what an administrator entered where it is yet another."""
    points = ContactPoint.objects.filter(user=owner, verified_at__isnull=False, ended_at__isnull=True)
    if changed is not None:
        points = points.exclude(pk=changed.pk)
    places = [Place(point.pk, point.channel, point.address, AT_ONCE) for point in points.order_by("verified_at", "pk")]
    known = {place.address.casefold() for place in places} | ({changed.address.casefold()} if changed else set())
    entered = owner.email.strip()
    if entered and entered.casefold() not in known:
        places.append(Place(None, "email", entered, AT_ONCE))
    return places


def _said_of(point: ContactPoint) -> dict[str, str]:
    by = channel(point.channel)
    return {"channel": by.LABEL, "address": by.shown(point.address)}


def _tell_each(owner: User, event: str, context: Mapping[str, Any], places: list[Place], *, at: datetime) -> None:
    """A notice a place: none of them stands in for another."""
    for place in places:
        tell([owner], event, context, at=at, places=[place])

"""Notices in the outbox, ready to be delivered."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from runbooks.access.models import User
from runbooks.contacts.models import ContactPoint, ContactRule
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import announce, deliver
from tests.factories import make_incident, make_user

AT = datetime(2026, 6, 23, 8, 7, tzinfo=UTC)
Importance = ContactRule.Importance


def make_notice(*, at: datetime = AT, user: User | None = None, **incident: Any) -> Notification:
    """One notice, announced as operations do it."""
    user = user or make_user()
    with transaction.atomic():
        room = make_incident(lead=user, **incident)
        announce(room, "member.added", {"who": str(user)}, at=at, to=[user])
    return Notification.objects.get(incident=room)


def make_important(room: Incident, users: Sequence[User], *, at: datetime = AT, about: str = "") -> list[Notification]:
    """Notices that go through every way of their recipients until they answer; no chain is started by them."""
    with transaction.atomic():
        context = {"who": "Amina Rahman", "what": "Sign-in disabled", "reason": "Nobody else was awake."}
        announce(room, "action.break_glass", context, at=at, to=users, about=about)
    return list(Notification.objects.filter(incident=room, event="action.break_glass").order_by("recipient_id"))


def make_way(user: User, *addresses: str, waits: Sequence[int] = (), importance: str = "important") -> None:
    """A rule of verified mail addresses, one after the other; `waits` in minutes."""
    for position, address in enumerate(addresses):
        point = ContactPoint.objects.create(user=user, channel="email", address=address, added_at=AT, verified_at=AT)
        wait = waits[position] if position < len(waits) else 0
        ContactRule.objects.create(user=user, importance=importance, position=position, point=point, wait_minutes=wait)


def deliver_at(moment: datetime) -> int:
    return deliver(clock=standing(moment))


def standing(moment: datetime) -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: moment

"""A test that a person asks for: a real notice to one of their points, by the way all others take."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor
from runbooks.contacts.models import ContactPoint
from runbooks.contacts.queries import Place
from runbooks.errors import DomainError
from runbooks.notifications.models import Notification
from runbooks.notifications.operations.announcing import tell
from runbooks.notifications.operations.contacting.owning import locked_owner, own_point

EVENT: Final = "contact.tested"
WITHIN: Final = timedelta(hours=1)
TESTS_MOST: Final = 10


class CannotTestError(DomainError):
    """Nothing was sent."""


@transaction.atomic
def send_test(*, point_id: UUID, actor: Actor, at: datetime) -> ContactPoint:
    """The row of the notice says how it went: nothing is called successful that no channel took."""
    owner = locked_owner(actor)
    point = own_point(owner, point_id)
    if point.verified_at is None:
        raise CannotTestError("Type in the code that was sent there first. It is a test as well.")
    asked = Notification.objects.filter(recipient=owner, event=EVENT, created_at__gt=at - WITHIN)
    if asked.count() >= TESTS_MOST:
        raise CannotTestError(f"{TESTS_MOST} tests were sent to you within the last hour. Try again later.")
    place = Place(point.pk, point.channel, point.address, timedelta(0))
    tell([owner], EVENT, {"who": owner.name}, at=at, about=about(point.pk), places=[place])
    return point


def about(point_id: UUID) -> str:
    return f"point:{point_id}"

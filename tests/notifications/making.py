"""Notices in the outbox, ready to be delivered."""

from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from runbooks.access.models import User
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import announce
from tests.factories import make_incident, make_user

AT = datetime(2026, 6, 23, 8, 7, tzinfo=UTC)


def make_notice(*, at: datetime = AT, user: User | None = None, **incident: Any) -> Notification:
    """One notice, announced as operations do it."""
    user = user or make_user()
    with transaction.atomic():
        room = make_incident(lead=user, **incident)
        announce(room, "member.added", {"who": str(user)}, at=at, to=[user])
    return Notification.objects.get(incident=room)

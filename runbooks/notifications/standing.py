"""How a notice stands, in the one word that people need first: told, being told, not reached."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Final, Protocol

from django.db.models import Q

from runbooks.notifications.models import Notification

Status = Notification.Status
UNDELIVERED: Final = (Status.FAILED, Status.HELD)


class Standing(Enum):
    """Each notice stands in one of these ways. An answer counts as told: whoever answered has seen it."""

    UNREACHED = "Not reached"
    WAITING = "Being told"
    TOLD = "Told"
    ANSWERED = "Answered"
    DROPPED = "Not needed any more"


class Notice(Protocol):
    """A notice, as far as this asks."""

    @property
    def status(self) -> str: ...
    @property
    def delivered_at(self) -> datetime | None: ...
    @property
    def acknowledged_at(self) -> datetime | None: ...


UNANSWERED: Final = Q(acknowledged_at__isnull=True)
# What the provider took may come back as not deliverable: then it is undelivered, although a channel once took it.
UNREACHED: Final = Q(status__in=UNDELIVERED) & UNANSWERED
WHERE: Final[Mapping[Standing, Q]] = {
    Standing.UNREACHED: UNREACHED,
    Standing.WAITING: Q(status=Status.WAITING, delivered_at__isnull=True) & UNANSWERED,
    Standing.TOLD: Q(status__in=(Status.WAITING, Status.DELIVERED), delivered_at__isnull=False) & UNANSWERED,
    Standing.ANSWERED: ~UNANSWERED,
    Standing.DROPPED: Q(status=Status.DROPPED) & UNANSWERED,
}


def where(standing: Standing) -> Q:
    """What finds the notices that stand so."""
    return WHERE[standing]


def standing_of(notice: Notice) -> Standing:
    """The same for a notice in hand."""
    if notice.acknowledged_at is not None:
        return Standing.ANSWERED
    if notice.status in UNDELIVERED:
        return Standing.UNREACHED
    if notice.status == Status.DROPPED:
        return Standing.DROPPED
    return Standing.WAITING if notice.delivered_at is None else Standing.TOLD

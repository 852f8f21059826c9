"""Who was not reached in an incident, by name, with what mends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, Window

from runbooks.access.models import Membership
from runbooks.notifications.channels.base import Reason
from runbooks.notifications.models import Notification
from runbooks.notifications.queries import BEYOND_THE_ROOM
from runbooks.notifications.standing import UNREACHED

AT_MOST: Final = 50
GONE: Final = "They are not in the incident any more, so nothing is sent to them. Set it aside."
OTHER: Final = "Send it again once the channel works. Telephone them if it cannot wait."
MENDS: Final[Mapping[str, str]] = {
    Reason.NO_ADDRESS: "They add a contact point, or an administrator enters an address. Then send it again.",
    Reason.UNTRUSTED: "The attacker may be reading there. Telephone them, and have them add a contact point outside.",
    Reason.ADDRESS_REFUSED: "Ask them for another address. Once it is entered, send it again.",
    Reason.ADDRESS_GONE: "Ask them for another address. Once it is entered, send it again.",
    Reason.CAME_BACK: "Ask them for another address. Once it is entered, send it again.",
    Reason.NOT_ANSWERED: "Telephone them again, or send it again.",
    Reason.NOT_CONFIGURED: "They choose another channel, or an administrator sets this one up. Then send it again.",
    Reason.SIGN_IN_REFUSED: "An administrator mends the portal’s sign-in at the provider. Then send it again.",
    Reason.MESSAGE_REFUSED: "The other side does not take the text. Tell them another way.",
    Reason.LOST: "It may have arrived all the same. Ask them, or send it again.",
}


@dataclass(frozen=True, slots=True)
class Unreached:
    """One person whom `count` notices did not reach; the reason is the newest one's."""

    user_id: int
    name: str
    telephone: str
    count: int
    at: datetime
    reason: str
    mend: str


def unreached(incident_id: UUID) -> list[Unreached]:
    """Everybody whom notices of the incident did not reach, the newest first; one query."""
    member = Membership.objects.filter(
        incident_id=OuterRef("incident_id"), user_id=OuterRef("recipient_id"), ended_at__isnull=True
    )
    notices = Notification.objects.filter(UNREACHED, incident_id=incident_id)
    newest = (
        notices.annotate(
            count=Window(Count("pk"), partition_by=F("recipient_id")),
            is_here=Q(recipient__is_active=True) & (Exists(member) | Q(event__in=BEYOND_THE_ROOM)),
        )
        .order_by("recipient_id", "-created_at", "-pk")
        .distinct("recipient_id")
    )
    columns = ("recipient_id", "recipient__name", "recipient__telephone", "count", "created_at", "reason")
    found = [
        Unreached(user_id, name, telephone, count, at, reason, _mend(code, is_here=is_here))
        for user_id, name, telephone, count, at, reason, code, is_here in newest.values_list(
            *columns, "reason_code", "is_here"
        )
    ]
    return sorted(found, key=lambda one: (one.at, one.name), reverse=True)[:AT_MOST]


def _mend(code: str, *, is_here: bool) -> str:
    return MENDS.get(code, OTHER) if is_here else GONE

"""All that reached nobody, across the incidents somebody is in."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, F, Q

from runbooks.access.permissions import Actor, can
from runbooks.incidents.queries import incidents_of
from runbooks.notifications.models import Notification
from runbooks.notifications.standing import UNREACHED


@dataclass(frozen=True, slots=True)
class RoomCount:
    """How many notices of one incident reached nobody; those about the portal itself are of none."""

    incident_id: UUID | None
    reference: str
    title: str
    count: int


def undelivered_to(actor: Actor) -> Q:
    """What this person looks after: the notices of their incidents, and an administrator those of the portal too."""
    theirs = Q(incident__in=incidents_of(actor).values("pk"))
    if can(actor, "send_portal_notices"):
        theirs |= Q(incident__isnull=True)
    return UNREACHED & theirs


def counts_by_room(actor: Actor) -> list[RoomCount]:
    """The newest incident first, the portal itself before it; one query."""
    rows = Notification.objects.filter(undelivered_to(actor)).values("incident_id").annotate(count=Count("pk"))
    counted = rows.order_by(F("incident__declared_at").desc(nulls_first=True), "incident_id")
    columns = counted.values_list("incident_id", "incident__reference", "incident__title", "count")
    return [RoomCount(pk, reference or "", title or "", count) for pk, reference, title, count in columns]

"""What one person was told, over all their incidents, and what of it waits for their answer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from runbooks.access.models import Membership
from runbooks.access.permissions import Actor
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.notifications.operations.answering import OPEN
from runbooks.notifications.queries import BEYOND_THE_ROOM

# No notice is of use for longer (events.toml), and none counts that is of no use any more.
LONGEST: Final = timedelta(days=8)
COUNTED_AT_MOST: Final = 100
SHOWN_AT_MOST: Final = 5
# In SQL because the top bar of every page asks it, together with the work of the same person.
UNANSWERED: Final = """
SELECT count(*) FROM (
    SELECT FROM runbooks_notification notice
    WHERE notice.recipient_id = %s AND notice.created_at > %s AND notice.acknowledged_at IS NULL
        AND notice.importance = %s AND notice.status <> %s AND notice.expires_at > %s
        AND (
            notice.incident_id IS NULL OR notice.event = ANY(%s) OR EXISTS (
                SELECT FROM runbooks_membership member WHERE member.incident_id = notice.incident_id
                    AND member.user_id = notice.recipient_id AND member.ended_at IS NULL
            )
        )
    LIMIT %s
) waiting
"""


def unanswered_values(actor: Actor, at: datetime) -> list[Any]:
    """The parameters of UNANSWERED. The portal itself is told nothing."""
    important, dropped = Notification.Importance.IMPORTANT.value, Notification.Status.DROPPED.value
    return [actor.user_id or 0, at - LONGEST, important, dropped, at, [*BEYOND_THE_ROOM], COUNTED_AT_MOST]


def told_to(actor: Actor) -> Q:
    """What this person was told and may still read: not of incidents they are not in any more."""
    member = Membership.objects.filter(
        incident_id=OuterRef("incident_id"), user_id=actor.user_id or 0, ended_at__isnull=True
    )
    may_read = Q(incident__isnull=True) | Q(event__in=BEYOND_THE_ROOM) | Q(Exists(member))
    return Q(recipient_id=actor.user_id or 0) & may_read


def waits(at: datetime) -> Q:
    """Important, of use still, and nobody said that they have seen it: the same that UNANSWERED counts."""
    return Q(
        importance=Notification.Importance.IMPORTANT,
        acknowledged_at__isnull=True,
        created_at__gt=at - LONGEST,
        expires_at__gt=at,
    ) & ~Q(status=Notification.Status.DROPPED)


@dataclass(frozen=True, slots=True)
class Where:
    """The incident a notice is of, as its line names it; of the portal itself, all but the zone are empty."""

    reference: str
    title: str
    tlp: str
    is_exercise: bool
    zone: ZoneInfo


def wheres(incident_ids: Iterable[UUID | None]) -> dict[UUID | None, Where]:
    """One query for all of them."""
    found: dict[UUID | None, Where] = {None: Where("", "", "", False, ZoneInfo(settings.INSTITUTION_TIME_ZONE))}
    ids = {one for one in incident_ids if one is not None}
    rows = Incident.objects.filter(pk__in=ids) if ids else Incident.objects.none()
    for incident in rows.only("reference", "title", "tlp", "is_exercise", "time_zone"):
        found[incident.pk] = Where(
            incident.reference, incident.title, incident.tlp, incident.is_exercise, incident.zone
        )
    return found


def waiting_in(incident_id: UUID, actor: Actor, at: datetime) -> list[tuple[UUID, str, datetime]]:
    """(notice, subject, when) of those that wait for this person in one incident, the newest first; one query.

    Not those by which they are called: the calls of the incident say more of those.
    """
    rows = Notification.objects.filter(waits(at), recipient_id=actor.user_id or 0, incident_id=incident_id)
    calling = Q(escalation__isnull=False, escalation__status__in=OPEN)
    columns = rows.exclude(calling).order_by("-created_at", "-pk").values_list("pk", "subject", "created_at")
    return list(columns[:SHOWN_AT_MOST])

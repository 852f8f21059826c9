"""All that reached nobody, across incidents: for those who can do something about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import can, require
from runbooks.notifications.queries import NoticeRow, notices_before
from runbooks.presentation import clock, full_clock, plural
from runbooks.room.operations.notices import try_portal_notices_again
from runbooks.room.queries.my_notices import Where, wheres
from runbooks.room.queries.notices import MENDS, OTHER
from runbooks.room.queries.undelivered import counts_by_room, undelivered_to
from runbooks.room.views.notice_lines import Line, Reader, lines
from runbooks.room.views.notices import cursor, place, without_prefix
from runbooks.timeline.operations import now

PAGE: Final = 50
# The portal's own notices have no incident to name in the address.
PORTAL: Final = "portal"


@dataclass(frozen=True, slots=True)
class Failed:
    """One notice that reached nobody, in words."""

    id: UUID
    where: Where
    what: str
    at: str
    at_full: str
    at_iso: str
    line: Line
    mend: str


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    actor, at = actor_of(request), now()
    require(actor, "view_undelivered")
    asked = request.GET.get("incident", "")[:20]
    rows = notices_before(
        undelivered_to(actor) & _of(asked), before=place(request.GET.get("before", "")), limit=PAGE + 1
    )
    shown, rooms = rows[:PAGE], counts_by_room(actor)
    reader = Reader(actor.user_id, sees_all=True, zone=ZoneInfo(settings.INSTITUTION_TIME_ZONE), at=at)
    context = {
        "actor": actor,
        "now": at,
        "rooms": rooms,
        "asked": asked,
        "total": sum(room.count for room in rooms),
        "notices": _failed(shown, lines(shown, reader), wheres(row.incident_id for row in shown), at),
        "may_send": {"room": can(actor, "manage_people"), "portal": can(actor, "send_portal_notices")},
        "may_see_health": can(actor, "view_health"),
        "next": cursor(shown[-1]) if len(rows) > PAGE else "",
    }
    return render(request, "room/undelivered.html", context)


@require_POST
def send_again(request: PortalRequest) -> HttpResponse:
    """Those about the portal itself; those of an incident are sent again by its own page's form."""
    sent, left = try_portal_notices_again(actor=actor_of(request), at=now())
    said = f"{plural(sent, 'notice is', 'notices are')} on the way again."
    if left:
        said += f" {plural(left, 'notice')} still cannot leave: the list says why."
    (messages.warning if left else messages.success)(request, said)
    return redirect("undelivered")


def _of(asked: str) -> Q:
    if asked == PORTAL:
        return Q(incident__isnull=True)
    return Q(incident__reference=asked.upper()) if asked else Q()


def _failed(
    rows: Sequence[NoticeRow], said: Mapping[UUID, Line], places: Mapping[UUID | None, Where], at: datetime
) -> list[Failed]:
    found = []
    for row in rows:
        where = places[row.incident_id]
        found.append(
            Failed(
                id=row.id,
                where=where,
                what=without_prefix(row.subject, where.reference or "IR Portal"),
                at=clock(row.created_at, where.zone, at),
                at_full=full_clock(row.created_at, where.zone),
                at_iso=row.created_at.isoformat(timespec="seconds"),
                line=said[row.id],
                mend=MENDS.get(row.reason_code, OTHER),
            )
        )
    return found

"""What I was told: what waits for my answer first, then everything, with its whole text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import can
from runbooks.errors import NotFoundError
from runbooks.notifications.operations import acknowledge, acknowledge_all
from runbooks.notifications.queries import NoticeRow, notices_before
from runbooks.presentation import clock, full_clock, plural
from runbooks.room.queries.my_notices import Where, told_to, waits, wheres
from runbooks.room.views.notice_lines import Line, Reader, capitalised, lines
from runbooks.room.views.notices import cursor, place
from runbooks.room.views.way_back import way_back
from runbooks.timeline.operations import now

PAGE: Final = 30
WAITING_AT_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Mine:
    """One notice to me, in words."""

    id: UUID
    where: Where
    what: str
    body: str
    at: str
    at_full: str
    at_iso: str
    line: Line
    is_seen: bool


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    actor, at = actor_of(request), now()
    is_unseen = request.GET.get("show") == "unseen"
    before = place(request.GET.get("before", ""))
    mine, waiting = told_to(actor), waits(at)
    first = [] if before else notices_before(mine & waiting, before=None, limit=WAITING_AT_MOST)
    asked = mine & ~waiting & (Q(acknowledged_at__isnull=True) if is_unseen else Q())
    rows = notices_before(asked, before=before, limit=PAGE + 1)
    shown = rows[:PAGE]
    every = [*first, *shown]
    said, places = lines(every, _reader(actor.user_id, at)), wheres(row.incident_id for row in every)
    context = {
        "actor": actor,
        "now": at,
        "waiting": _said(first, said, places, at),
        "notices": _said(shown, said, places, at),
        "is_unseen": is_unseen,
        "has_unseen": any(row.acknowledged_at is None for row in shown),
        "until": max((row.created_at for row in every), default=at).isoformat(),
        "may_see_undelivered": can(actor, "view_undelivered"),
        "next": cursor(shown[-1]) if len(rows) > PAGE else "",
    }
    return render(request, "room/my_notices.html", context)


@require_POST
def seen(request: PortalRequest, notification_id: UUID) -> HttpResponse:
    """I have seen this one: no further channel says it, and nobody further is called."""
    notice = acknowledge(notification_id=notification_id, actor=actor_of(request), at=now())
    messages.success(request, f"Noted: you have seen “{_bare(notice.subject)}”.")
    return redirect(way_back(request, "my_notices"))


@require_POST
def seen_all(request: PortalRequest) -> HttpResponse:
    """I have seen all that the page showed, and nothing that came since."""
    until = _moment(request.POST.get("until", ""))
    if until is None:
        raise NotFoundError("The form does not say until when.")
    count = acknowledge_all(until=until, actor=actor_of(request), at=now())
    messages.success(request, f"Noted: you have seen {plural(count, 'notice')}.")
    return redirect("my_notices")


def _reader(user_id: int | None, at: datetime) -> Reader:
    return Reader(user_id, sees_all=False, zone=wheres([])[None].zone, at=at)


def _said(
    rows: Sequence[NoticeRow], said: Mapping[UUID, Line], places: Mapping[UUID | None, Where], at: datetime
) -> list[Mine]:
    found = []
    for row in rows:
        where = places[row.incident_id]
        found.append(
            Mine(
                id=row.id,
                where=where,
                what=_bare(row.subject, where.reference or "IR Portal"),
                body=row.body,
                at=clock(row.created_at, where.zone, at),
                at_full=full_clock(row.created_at, where.zone),
                at_iso=row.created_at.isoformat(timespec="seconds"),
                line=said[row.id],
                is_seen=row.acknowledged_at is not None,
            )
        )
    return found


def _bare(subject: str, reference: str = "") -> str:
    """The subject without the label and reference before it."""
    return capitalised(subject.partition(f"{reference}: ")[2] or subject)


def _moment(written: str) -> datetime | None:
    try:
        moment = parse_datetime(written)
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None

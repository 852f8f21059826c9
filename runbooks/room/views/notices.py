"""Who was told what, when, by which channel, and who was not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import Actor, can
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.notifications.channels import channel
from runbooks.notifications.models import Notification
from runbooks.notifications.queries import (
    UNDELIVERED,
    Attempt,
    NoticeRow,
    Place,
    attempts_at,
    counts_by_status,
    notices_before,
)
from runbooks.presentation import clock, full_clock, plural, time_left
from runbooks.room.operations.notices import try_notice_again
from runbooks.timeline.operations import now

PAGE = 50
Status = Notification.Status
SHOWN = {
    "all": ("All", tuple(Status)),
    "undelivered": ("Not delivered", UNDELIVERED),
    "waiting": ("Waiting", (Status.WAITING,)),
    "delivered": ("Delivered", (Status.DELIVERED,)),
}
MARKS = {
    Status.DELIVERED: ("done", "good"),
    Status.WAITING: ("clock", "wait"),
    Status.FAILED: ("fail", "bad"),
    Status.HELD: ("ban", "bad"),
    Status.DROPPED: ("ban", ""),
}
WORST_FIRST = ("fail", "ban", "clock", "done")


@dataclass(frozen=True, slots=True)
class Line:
    """One person's notice, in words."""

    recipient: str
    by: str
    icon: str
    tone: str
    status: str
    reason: str
    attempts: str
    tried: list[tuple[str, str]]
    try_again: str


@dataclass(frozen=True, slots=True)
class Announced:
    """One text, and everybody it was for."""

    key: str
    at: str
    at_full: str
    at_iso: str
    what: str
    body: str
    lines: list[Line] = field(default_factory=list)


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    show = request.GET.get("show", "all")
    show = show if show in SHOWN else "all"
    rows = notices_before(
        incident.pk, statuses=SHOWN[show][1], before=_place(request.GET.get("before", "")), limit=PAGE + 1
    )
    shown = rows[:PAGE]
    counts = counts_by_status(incident.pk)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "notices",
        "show": show,
        "segments": [(key, label, sum(counts[status] for status in of)) for key, (label, of) in SHOWN.items()],
        "announced": _announced(incident, shown, actor, at),
        "may_try_again": can(actor, "manage_people"),
        "has_mail_sink": settings.MAIL_SINK,
        "next": _cursor(shown[-1]) if len(rows) > PAGE else "",
    }
    return render(request, "room/notices.html", context)


@require_POST
def try_again(request: PortalRequest, reference: str, notification_id: UUID) -> HttpResponse:
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    notice = try_notice_again(incident_id=incident.pk, notification_id=notification_id, actor=actor, at=now())
    messages.success(request, f"The notice to {notice.recipient} is on its way again.")
    return redirect("notices", incident.reference)


def _announced(incident: Incident, rows: Iterable[NoticeRow], actor: Actor, at: datetime) -> list[Announced]:
    """The rows under the text they carried; rows of one text stand together, since they were written together."""
    rows = list(rows)
    tried = attempts_at(row.id for row in rows)
    found: dict[tuple[datetime, str, str], Announced] = {}
    for row in rows:
        key = (row.created_at, row.subject, row.body)
        if key not in found:
            found[key] = Announced(
                key=str(row.id),
                at=clock(row.created_at, incident.zone, at),
                at_full=full_clock(row.created_at, incident.zone),
                at_iso=row.created_at.isoformat(timespec="seconds"),
                what=_without_prefix(row.subject, incident.reference),
                body=row.body,
            )
        found[key].lines.append(_line(incident, row, tried, actor, at))
    for announced in found.values():
        announced.lines.sort(key=lambda line: (WORST_FIRST.index(line.icon), line.recipient))
    return list(found.values())


def _without_prefix(subject: str, reference: str) -> str:
    """The subject without the label and reference that every notice of this page begins with."""
    what = subject.partition(f"{reference}: ")[2] or subject
    return what[:1].upper() + what[1:]


def _line(incident: Incident, row: NoticeRow, tried: Mapping[UUID, list[Attempt]], actor: Actor, at: datetime) -> Line:
    icon, tone = MARKS[Status(row.status)]
    attempts = tried.get(row.id, [])
    again = row.status in UNDELIVERED and can(actor, "manage_people")
    return Line(
        recipient=row.recipient,
        by=_by(row, attempts, actor),
        icon=icon,
        tone=tone,
        status=_status(incident, row, at),
        reason=row.reason,
        attempts=plural(len(attempts), "attempt") if len(attempts) > 1 or (row.reason and attempts) else "",
        tried=[(full_clock(one.at, incident.zone), one.reason or "Delivered") for one in attempts],
        try_again=reverse("notice_try_again", args=[incident.reference, row.id]) if again else "",
    )


def _by(row: NoticeRow, attempts: list[Attempt], actor: Actor) -> str:
    """The channel; a colleague's own address only for those who look after the people, and for the person."""
    if not attempts:
        return channel(row.route[row.position]["channel"]).LABEL if row.route else "No channel"
    last = attempts[-1]
    label = channel(last.channel).LABEL
    knows = row.recipient_id == actor.user_id or can(actor, "manage_people")
    return f"{label} to {last.address}" if knows and last.address else label


def _status(incident: Incident, row: NoticeRow, at: datetime) -> str:
    if row.delivered_at is not None:
        return f"Delivered {clock(row.delivered_at, incident.zone, at)}"
    if row.status == Status.WAITING and row.reason:
        return f"Next attempt {time_left(row.next_attempt_at, at)}" if row.next_attempt_at > at else "Next attempt now"
    return Status(row.status).label


def _cursor(row: NoticeRow) -> str:
    return f"{row.created_at.astimezone(UTC):%Y%m%dT%H%M%S%f}.{row.id}"


def _place(cursor: str) -> Place | None:
    """The place a link to older notices names; nonsense counts as the beginning."""
    moment, _, notification_id = cursor.partition(".")
    try:
        return datetime.strptime(moment, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC), UUID(notification_id)
    except ValueError:
        return None

"""Who was told what, when, by which channel, and who was not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import Actor, can
from runbooks.errors import NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for, people_of
from runbooks.notifications.events import events
from runbooks.notifications.queries import NoticeRow, Place, counts_by_event, notices_before
from runbooks.notifications.standing import Standing, where
from runbooks.notifications.wording import may_say_all
from runbooks.presentation import clock, full_clock, plural
from runbooks.room.operations.notices import settle_notices, try_notice_again, try_notices_again
from runbooks.room.queries.notices import unreached
from runbooks.room.views.notice_lines import MARKS, WORST_FIRST, Line, Reader, capitalised, lines
from runbooks.room.views.way_back import way_back
from runbooks.timeline.operations import now

PAGE: Final = 50
# What the address asks for, and the figure it is.
SHOWN: Final[Mapping[str, Standing]] = {
    "undelivered": Standing.UNREACHED,
    "waiting": Standing.WAITING,
    "told": Standing.TOLD,
    "answered": Standing.ANSWERED,
    "dropped": Standing.DROPPED,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """How many stand so, and the word under which the list shows them."""

    key: str
    label: str
    icon: str
    tone: str
    count: int


@dataclass(frozen=True, slots=True)
class Filter:
    """What the address asks for."""

    show: str
    who: int | None
    event: str
    before: Place | None

    @property
    def is_narrow(self) -> bool:
        return bool(self.show or self.who or self.event)

    def matching(self, incident_id: UUID) -> Q:
        found = Q(incident_id=incident_id)
        found &= where(SHOWN[self.show]) if self.show else Q()
        found &= Q(recipient_id=self.who) if self.who else Q()
        return found & (Q(event=self.event) if self.event else Q())


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
    asked = _asked(request)
    rows = notices_before(asked.matching(incident.pk), before=asked.before, limit=PAGE + 1)
    shown, counts = rows[:PAGE], counts_by_event(incident.pk)
    reader = Reader(actor.user_id, can(actor, "manage_people"), incident.zone, at)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "notices",
        "asked": asked,
        "figures": _figures(counts),
        "total": sum(sum(one.values()) for one in counts.values()),
        "announced": announced(shown, lines(shown, reader), incident, at),
        "people": people_of(incident.pk),
        "events": _events(counts, asked.event),
        "may_try_again": can(actor, "manage_people"),
        "has_mail_sink": settings.MAIL_SINK,
        "says_little": not may_say_all(incident.tlp),
        "next": cursor(shown[-1]) if len(rows) > PAGE else "",
        **_unreached(incident, counts, actor, at),
    }
    return render(request, "room/notices.html", context)


@require_POST
def try_again(request: PortalRequest, reference: str, notification_id: UUID) -> HttpResponse:
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    notice = try_notice_again(incident_id=incident.pk, notification_id=notification_id, actor=actor, at=now())
    messages.success(request, f"The notice to {notice.recipient} is on its way again.")
    return redirect(way_back(request, "notices", incident.reference))


@require_POST
def send_again(request: PortalRequest, reference: str) -> HttpResponse:
    """All that reached nobody; only those to one person where the form names one."""
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    who = whole_number(request.POST.get("recipient"))
    sent, left = try_notices_again(incident_id=incident.pk, recipient_id=who, actor=actor, at=now())
    said = f"{plural(sent, 'notice is', 'notices are')} on {'its' if sent == 1 else 'their'} way again."
    if left:
        said += f" {plural(left, 'notice')} still cannot leave: the page says why."
    (messages.warning if left else messages.success)(request, said)
    return redirect(way_back(request, "notices", incident.reference))


@require_POST
def settle(request: PortalRequest, reference: str) -> HttpResponse:
    """Somebody whom notices did not reach was told another way."""
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    who = whole_number(request.POST.get("recipient"))
    if who is None:
        raise NotFoundError("The form names nobody.")
    how = request.POST.get("how", "")
    count = settle_notices(incident_id=incident.pk, recipient_id=who, how=how, actor=actor, at=now())
    messages.success(request, f"Noted for {plural(count, 'notice')}. The timeline says how they were told.")
    return redirect("notices", incident.reference)


def _asked(request: PortalRequest) -> Filter:
    """What the address asks for; nonsense asks for nothing."""
    show, event = request.GET.get("show", ""), request.GET.get("event", "")
    return Filter(
        show=show if show in SHOWN else "",
        who=whole_number(request.GET.get("who")),
        event=event if event in events() else "",
        before=place(request.GET.get("before", "")),
    )


def _figures(counts: Mapping[str, Mapping[Standing, int]]) -> list[Figure]:
    return [
        Figure(key, standing.value, *MARKS[standing], count=sum(one[standing] for one in counts.values()))
        for key, standing in SHOWN.items()
    ]


def _events(counts: Mapping[str, object], asked: str) -> list[tuple[str, str]]:
    """The events there were, in words: what the list can be narrowed to."""
    known = events()
    return sorted(
        ((name, known[name].says if name in known else name) for name in {*counts, *([asked] if asked else [])}),
        key=lambda one: one[1],
    )


def _unreached(
    incident: Incident, counts: Mapping[str, Mapping[Standing, int]], actor: Actor, at: datetime
) -> dict[str, Any]:
    """Asked only where there is somebody."""
    count = sum(one[Standing.UNREACHED] for one in counts.values())
    people = [
        {"who": one, "at": clock(one.at, incident.zone, at), "reason": capitalised(one.reason)}
        for one in (unreached(incident.pk) if count else [])
    ]
    knows = can(actor, "manage_people")
    return {"unreached": people, "unreached_count": count, "shows_telephones": knows}


def announced(
    rows: Sequence[NoticeRow], said: Mapping[UUID, Line], incident: Incident, at: datetime
) -> list[Announced]:
    """The rows under the text they carried; rows of one text stand together, since they were written together."""
    found: dict[tuple[datetime, str, str], Announced] = {}
    for row in rows:
        key = (row.created_at, row.subject, row.body)
        if key not in found:
            found[key] = Announced(
                key=str(row.id),
                at=clock(row.created_at, incident.zone, at),
                at_full=full_clock(row.created_at, incident.zone),
                at_iso=row.created_at.isoformat(timespec="seconds"),
                what=without_prefix(row.subject, incident.reference),
                body=row.body,
            )
        found[key].lines.append(said[row.id])
    for one in found.values():
        one.lines.sort(key=lambda line: (WORST_FIRST.index(line.standing), line.recipient))
    return list(found.values())


def without_prefix(subject: str, reference: str) -> str:
    """The subject without the label and reference that every notice of this page begins with."""
    return capitalised(subject.partition(f"{reference}: ")[2] or subject)


def cursor(row: NoticeRow) -> str:
    return f"{row.created_at.astimezone(UTC):%Y%m%dT%H%M%S%f}.{row.id}"


def place(written: str) -> Place | None:
    """The place a link to older notices names; nonsense counts as the beginning."""
    moment, _, notification_id = written.partition(".")
    try:
        return datetime.strptime(moment, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC), UUID(notification_id)
    except ValueError:
        return None

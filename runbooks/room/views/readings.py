"""Who read what of an incident: for its auditors and coordinators."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.models import AccessRecord, Role
from runbooks.access.permissions import require
from runbooks.access.reading_log import Reading, readers, readings
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock, full_clock
from runbooks.timeline.operations import now

PAGE = 100
Kind = AccessRecord.Kind
MARKS = {Kind.PAGE: "eye", Kind.ACCOUNT: "user", Kind.FILE: "file", Kind.EXPORT: "export"}


@dataclass(frozen=True, slots=True)
class Line:
    """One reading, in words."""

    when: str
    when_full: str
    when_iso: str
    who: str
    role: str
    icon: str
    kind: str
    subject: str
    network: str


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "view_access_log", incident.pk)
    who, kind = whole_number(request.GET.get("who")), request.GET.get("kind", "")
    kind = kind if kind in Kind.values else ""
    before = whole_number(request.GET.get("before"))
    rows = readings(incident.pk, before=before, user_id=who, kind=kind, limit=PAGE + 1)
    shown = rows[:PAGE]
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "exports",
        "lines": [_line(row, incident, at) for row in shown],
        "people": readers(incident.pk),
        "who": who,
        "kinds": Kind.choices,
        "kind": kind,
        "is_paged": before is not None,
        "next": shown[-1].id if len(rows) > PAGE else None,
    }
    return render(request, "room/readings.html", context)


def _line(row: Reading, incident: Incident, at: datetime) -> Line:
    return Line(
        when=clock(row.at, incident.zone, at),
        when_full=full_clock(row.at, incident.zone),
        when_iso=row.at.isoformat(timespec="seconds"),
        who=row.name,
        role=Role(row.role).label if row.role in Role.values else row.role,
        icon=MARKS[Kind(row.kind)],
        kind=Kind(row.kind).label,
        subject=row.subject,
        network=row.network or "not known",
    )

"""The room's first page: what needs somebody, how the accounts stand, what was just done."""

from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import can
from runbooks.affected_accounts.queries import GroupCounts
from runbooks.affected_accounts.transitions import GROUP_LABELS
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock
from runbooks.room import charts
from runbooks.room.queries.feed import feed
from runbooks.room.queries.my_notices import waiting_in
from runbooks.room.queries.needs import deadline_lines, needs
from runbooks.room.queries.tally import begin, tally
from runbooks.room.views.notices import without_prefix
from runbooks.timeline.operations import now


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    counted = tally(incident)
    counts = counted.groups
    chart = _chart(incident, counted.stairs, at)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "overview",
        "needs": needs(incident, counted, actor, at),
        "told": [
            {"id": pk, "what": without_prefix(subject, incident.reference), "at": clock(moment, incident.zone, at)}
            for pk, subject, moment in waiting_in(incident.pk, actor, at)
        ],
        "counts": counts,
        "counted_at": clock(at, incident.zone, at),
        "states": _states(incident.reference, counts),
        "chart": chart,
        "chart_rows": charts.table_rows(chart.table, incident.zone, at) if chart else "",
        "deadlines": deadline_lines(incident, counted.deadlines, at),
        "feed": feed(incident, counted.entries, at),
        "may_work": can(actor, "work_steps"),
        "may_import": can(actor, "import_affected"),
        "may_add_entry": can(actor, "add_entry"),
    }
    return render(request, "room/overview.html", context)


def _chart(incident: Incident, drawn: charts.Stairs | None, at: datetime) -> charts.BurnUp | None:
    return charts.burn_up(drawn, begin(incident), incident.closed_at or at, incident.zone) if drawn else None


def _states(reference: str, counts: GroupCounts) -> list[dict[str, object]]:
    address = reverse("accounts", args=[reference])
    return [
        {
            "key": group.value,
            "label": label,
            "icon": f"st-{group.value}",
            "count": getattr(counts, group.value),
            "address": f"{address}?group={group.value}",
        }
        for group, label in GROUP_LABELS.items()
    ]

"""The actions of an incident, newest first."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import can
from runbooks.actions.models import Action
from runbooks.actions.queries.found import GREATEST
from runbooks.actions.queries.listing import PAGE, ListedAction, actions_of, title_of
from runbooks.actions.views.wording import STATUS_MARKS, bar_of, counts_in_words
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock, plural
from runbooks.timeline.operations import now

NOT_BEGUN = (Action.Status.DRAFT, Action.Status.AWAITING_APPROVAL)


@dataclass(frozen=True, slots=True)
class Line:
    """One action in words."""

    number: int
    title: str
    icon: str
    tone: str
    status: str
    counts: str
    bar: SafeString | None
    reason: str
    step: str
    asked: str
    decided: str
    is_unreviewed: bool


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    before = whole_number(request.GET.get("before"))
    place = min(before, GREATEST) if before is not None else None
    found, following = actions_of(incident.pk, at, before=place)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "actions",
        "lines": [_line(one, incident, at) for one in found],
        "next": following,
        "is_paged": place is not None,
        "page_size": PAGE,
        "may_ask": can(actor, "request_action") and not incident.is_over,
    }
    return render(request, "actions/list.html", context)


def _line(one: ListedAction, incident: Incident, at: datetime) -> Line:
    action, counted = one.action, one.progress
    icon, tone = STATUS_MARKS[action.status]
    has_begun = action.started_at is not None
    title = title_of(action)
    return Line(
        number=action.number,
        title=title,
        icon=icon,
        tone=tone,
        status=action.get_status_display(),
        counts=counts_in_words(counted) if has_begun else f"for {plural(counted.total, 'account')}",
        bar=bar_of(action, counted, title, slim=True) if has_begun and counted.total else None,
        reason=action.reason,
        step=f"step {action.step.number}" if action.step else "",
        asked=_asked(action, incident, at),
        decided=_decided(action, incident, at),
        is_unreviewed=one.is_unreviewed,
    )


def _asked(action: Action, incident: Incident, at: datetime) -> str:
    who = str(action.requested_by) if action.requested_by else action.drafted_by
    verb = "Asked for by" if action.requested_by else "Drafted by"
    return f"{verb} {who}, {clock(action.requested_at or action.drafted_at, incident.zone, at)}"


def _decided(action: Action, incident: Incident, at: datetime) -> str:
    if action.approved_by and action.approved_at:
        return f"Approved by {action.approved_by}, {clock(action.approved_at, incident.zone, at)}"
    if action.is_break_glass:
        return "Begun without a second person"
    return "" if action.status in NOT_BEGUN or action.needs_approval else "Needed no second person"

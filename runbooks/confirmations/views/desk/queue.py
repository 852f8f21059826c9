"""Whom to call next."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import can
from runbooks.affected_accounts.models import ContactAttempt
from runbooks.confirmations.models import DeskCall, LetterRun
from runbooks.confirmations.operations.calling import take_next, take_one
from runbooks.confirmations.queries.calls import PAGE, Urgency, Waiting, queue, queue_counts
from runbooks.confirmations.queries.planning import FRESH, ago
from runbooks.confirmations.queries.texts import failed_texts
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock, plural
from runbooks.timeline.operations import now

WHY = {
    Urgency.NOT_ME: ("Says it was not them", "warn", "bad"),
    Urgency.DIFFERS: ("Password not changed", "warn", "bad"),
    Urgency.CALL_BACK: ("Call back", "clock", "wait"),
    Urgency.NEVER_REACHED: ("Never reached", "phone", ""),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the queue, with everything said in words."""

    waiting: Waiting
    why: str
    icon: str
    tone: str
    numbers: list[str]
    changed: str
    last: str
    now_with: str


def line(incident: Incident, waiting: Waiting, at: datetime) -> Line:
    why, icon, tone = WHY[waiting.urgency]
    if waiting.urgency == Urgency.CALL_BACK and waiting.call_back_at is not None:
        why = f"Call back {clock(waiting.call_back_at, incident.zone, at)}"
    changed = waiting.contact_changed_at
    last = ""
    if waiting.last_contact_at is not None:
        said = ContactAttempt.Outcome(waiting.last_contact_outcome).label.lower()
        last = f"{said} {clock(waiting.last_contact_at, incident.zone, at)}"
    named = ((waiting.mobile, "mobile"), (waiting.telephone, "telephone"))
    now_with = ""
    if waiting.held_by and waiting.held_since is not None:
        now_with = f"{waiting.held_by}, since {clock(waiting.held_since, incident.zone, at)}"
    return Line(
        waiting=waiting,
        why=why,
        icon=icon,
        tone=tone,
        numbers=[f"{number} ({label})" for number, label in named if number],
        changed=ago((at - changed).days) if changed is not None and at - changed < FRESH else "",
        last=last,
        now_with=now_with,
    )


def place_of(request: PortalRequest) -> tuple[int, ...] | None:
    """Where the list goes on, from the address; None for what is no place."""
    parts = request.GET.get("after", "").split("-")
    if len(parts) != 5 or not all(part.isascii() and part.isdecimal() and len(part) < 16 for part in parts):
        return None
    return tuple(int(part) for part in parts)


def next_page(found: list[Waiting], limit: int) -> str:
    return urlencode({"after": "-".join(map(str, found[-1].place))}) if len(found) == limit else ""


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    user_id = request.user.pk
    after = place_of(request)
    found = queue(incident.pk, at, after=after)
    counts = queue_counts(incident.pk, at, user_id)
    mine = DeskCall.objects.filter(incident=incident, taken_by=user_id, ended_at__isnull=True, held_until__gt=at)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "desk",
        "lines": [line(incident, one, at) for one in found],
        "counts": [(WHY[urgency][0], counts.by_urgency.get(urgency, 0)) for urgency in Urgency],
        "total": counts.total,
        "ready": counts.ready,
        "mine": mine.select_related("affected_account").first(),
        "may_call": can(actor, "call_holders") and not incident.is_over,
        "may_issue": can(actor, "issue_code") and not incident.is_over,
        "failed": failed_texts(incident.pk),
        "runs": LetterRun.objects.filter(incident=incident).order_by("-number")[:5],
        "next": next_page(found, PAGE),
        "is_paged": after is not None,
    }
    return render(request, "confirmations/desk.html", context)


@require_POST
def take(request: PortalRequest, reference: str) -> HttpResponse:
    """The next of the queue, or the one that is named."""
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    named = request.POST.get("account", "")
    if named.isdecimal() and len(named) < 19:
        call: DeskCall | None = take_one(incident_id=incident.pk, affected_id=int(named), actor=actor, at=at)
    else:
        call = take_next(incident_id=incident.pk, actor=actor, at=at)
    if call is None:
        waiting = queue_counts(incident.pk, at, request.user.pk).total
        said = f"Nobody can be called just now. {plural(waiting, 'holder')} wait for their time or are being called."
        messages.info(request, said if waiting else "Every holder was reached.")
        return redirect("desk", incident.reference)
    return redirect(reverse("desk_call", args=[incident.reference, call.pk]))

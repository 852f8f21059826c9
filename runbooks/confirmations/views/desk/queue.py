"""Whom to call next."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number, whole_numbers
from runbooks.access.permissions import can
from runbooks.affected_accounts.models import ContactAttempt, Tier
from runbooks.affected_accounts.operations.call_hours import hours_in_words
from runbooks.confirmations.models import DeskCall, LetterRun
from runbooks.confirmations.operations.calling import take_next, take_one
from runbooks.confirmations.queries.calls import (
    EVERYBODY,
    NO_OFFICE,
    PAGE,
    PLACE_PARTS,
    QueueCounts,
    Urgency,
    Waiting,
    Within,
    queue,
    queue_counts,
    ringing,
)
from runbooks.confirmations.queries.planning import FRESH, ago
from runbooks.confirmations.queries.texts import failed_texts
from runbooks.confirmations.views.desk.within import RANG, address_of, in_words, within_of
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock, plural
from runbooks.timeline.operations import now

OFFICES_AT_MOST = 40
RINGING_AT_MOST = 8
WHY = {
    Urgency.NOT_ME: ("Says it was not them", "warn", "bad"),
    Urgency.DIFFERS: ("Password not changed", "warn", "bad"),
    Urgency.CALL_BACK: ("Call back", "clock", "wait"),
    Urgency.UNCLAIMED: ("Password changed, holder not heard", "key", "wait"),
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
    tried: str
    now_with: str
    best: str


def line(incident: Incident, waiting: Waiting, at: datetime) -> Line:
    why, icon, tone = WHY[waiting.urgency]
    if waiting.urgency == Urgency.CALL_BACK and waiting.call_back_at is not None:
        why = f"Call back {clock(waiting.call_back_at, incident.zone, at)}"
    changed = waiting.contact_changed_at
    last = ""
    if waiting.last_contact_at is not None:
        said = ContactAttempt.Outcome(waiting.last_contact_outcome).label.lower()
        last = f", last {said} {clock(waiting.last_contact_at, incident.zone, at)}"
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
        tried=f"{plural(waiting.attempts, 'try', 'tries')}{last}" if waiting.attempts else "",
        now_with=now_with,
        best=hours_in_words(waiting.call_from, waiting.call_until),
    )


def place_of(request: PortalRequest) -> tuple[int, ...] | None:
    """Where the list goes on, from the address; None for what is no place, such as one of an older list."""
    parts = request.GET.get("after", "").split("-")
    place = tuple(whole_numbers(parts))
    return place if len(parts) == len(place) == PLACE_PARTS else None


def next_page(found: list[Waiting], limit: int, within: Within) -> str:
    return address_of(within, after="-".join(map(str, found[-1].place))) if len(found) == limit else ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice of a select, with how many it would leave."""

    value: str
    label: str
    count: int
    is_chosen: bool


def _tiers(counts: QueueCounts, within: Within) -> list[Choice]:
    return [
        Choice(tier.value, str(tier.label), counts.by_tier.get(tier, 0), tier == within.tier)
        for tier in Tier
        if counts.by_tier.get(tier) or tier == within.tier
    ]


def _offices(counts: QueueCounts, within: Within) -> list[Choice]:
    """The largest, and the chosen one wherever it stands."""
    named = {name or NO_OFFICE: count for name, count in counts.by_office.items()}
    shown = dict(list(named.items())[:OFFICES_AT_MOST])
    if within.office:
        shown.setdefault(within.office, named.get(within.office, 0))
    return [
        Choice(name, "No office on file" if name == NO_OFFICE else name, count, name == within.office)
        for name, count in shown.items()
    ]


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    within, after = within_of(request.GET), place_of(request)
    found = queue(incident.pk, at, within=within, after=after)
    counts = queue_counts(incident.pk, at, request.user.pk, within)
    may_call = can(actor, "call_holders") and not incident.is_over
    who = " ".join(request.GET.get("who", "").split())[:160] if may_call else ""
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "desk",
        "lines": [line(incident, one, at) for one in found],
        "counts": [(WHY[urgency][0], counts.by_urgency.get(urgency, 0)) for urgency in Urgency],
        "total": counts.total,
        "ready": counts.ready,
        "mine": _mine(incident, request, at),
        "may_call": may_call,
        "may_issue": can(actor, "issue_code") and not incident.is_over,
        "failed": failed_texts(incident.pk),
        "runs": LetterRun.objects.filter(incident=incident).order_by("-number")[:5],
        "next": next_page(found, PAGE, within),
        "is_paged": after is not None,
        "within": within,
        "part": in_words(within),
        "kept": address_of(within),
        "tiers": _tiers(counts, within),
        "offices": _offices(counts, within),
        "has_more_offices": len(counts.by_office) > OFFICES_AT_MOST or bool(within.begins),
        "who": who,
        "ringing": ringing(incident.pk, who, RINGING_AT_MOST) if who else [],
    }
    return render(request, "confirmations/desk.html", context)


def _mine(incident: Incident, request: PortalRequest, at: datetime) -> DeskCall | None:
    mine = DeskCall.objects.filter(incident=incident, taken_by=request.user.pk, ended_at__isnull=True)
    return mine.filter(held_until__gt=at).select_related("affected_account").first()


@require_POST
def take(request: PortalRequest, reference: str) -> HttpResponse:
    """The next of the queue or of a part of it, or the one that is named."""
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    within, named = within_of(request.POST), whole_number(request.POST.get("account"))
    rang = "1" if request.POST.get(RANG) else ""
    if named is not None:
        call: DeskCall | None = take_one(incident_id=incident.pk, affected_id=named, actor=actor, at=at)
    else:
        call = take_next(incident_id=incident.pk, actor=actor, at=at, within=within)
    if call is None:
        messages.info(request, _nobody(incident, request, at, within))
        return redirect(reverse("desk", args=[incident.reference]) + address_of(within))
    return redirect(reverse("desk_call", args=[incident.reference, call.pk]) + address_of(within, **{RANG: rang}))


def _nobody(incident: Incident, request: PortalRequest, at: datetime, within: Within) -> str:
    waiting = queue_counts(incident.pk, at, request.user.pk, within).total
    if waiting:
        wait = "holder waits for a time or is" if waiting == 1 else "holders wait for their time or are"
        of_part = f" of {in_words(within)}" if within else ""
        return f"Nobody{of_part} can be called just now. {waiting:,} {wait} being called."
    if within != EVERYBODY:
        return f"Nobody is left to call of {in_words(within)}. Choose another part of the queue, or all of it."
    return "Every holder was reached."

"""The calls of an incident: who is called about what, who was told and when, and taking it on."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import can
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.notifications.events import events
from runbooks.notifications.models import Escalation, Notification
from runbooks.notifications.standing import Standing, standing_of
from runbooks.presentation import clock, plural
from runbooks.reminders.operations.taking import take_on
from runbooks.reminders.queries.calls import OPEN, PAGE, Place, bare_subject, calls_before, notices_of
from runbooks.reminders.queries.policies import names_of
from runbooks.timeline.operations import now

Status = Escalation.Status
MARKS = {
    Status.RUNNING: ("phone", "wait"),
    Status.EXHAUSTED: ("warn", "bad"),
    Status.ANSWERED: ("done", "good"),
    Status.WITHDRAWN: ("ban", ""),
}
HOW = {
    Standing.UNREACHED: ("fail", "bad"),
    Standing.WAITING: ("clock", "wait"),
    Standing.TOLD: ("check", ""),
    Standing.ANSWERED: ("done", "good"),
    Standing.DROPPED: ("ban", ""),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One person, when, and how it stands."""

    at: str
    name: str
    icon: str
    tone: str
    says: str


@dataclass(frozen=True, slots=True)
class Call:
    """One chain in words."""

    id: UUID
    subject: str
    why: str
    icon: str
    tone: str
    status: str
    started: str
    next: str
    told: list[Told]
    can_be_taken: bool


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    chains = calls_before(incident, before=_place(request.GET.get("before", "")), limit=PAGE + 1)
    shown = chains[:PAGE]
    told, names = notices_of(shown), names_of([chain.steps for chain in shown])
    may = can(actor, "answer_call")
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "notices",
        "calls": [_call(incident, chain, told[chain.pk], names, at, may=may) for chain in shown],
        "next": _cursor(shown[-1]) if len(chains) > PAGE else "",
        "may_see_policies": can(actor, "view_escalation"),
    }
    return render(request, "reminders/calls.html", context)


@require_POST
def take(request: PortalRequest, reference: str, chain_id: UUID) -> HttpResponse:
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    chain = take_on(incident_id=incident.pk, chain_id=chain_id, actor=actor, at=now())
    subject = bare_subject(chain.texts, incident.reference)
    messages.success(request, f"You see to it: {subject}. Nobody further is called.")
    return redirect("calls", incident.reference)


def _call(
    incident: Incident,
    chain: Escalation,
    notices: list[Notification],
    names: dict[str, str],
    at: datetime,
    *,
    may: bool,
) -> Call:
    icon, tone = MARKS[Status(chain.status)]
    event = events().get(chain.event)
    return Call(
        id=chain.pk,
        subject=_capital(bare_subject(chain.texts, incident.reference)),
        why=event.says if event else chain.event,
        icon=icon,
        tone=tone,
        status=_status(incident, chain, at),
        started=clock(chain.started_at, incident.zone, at),
        next=_next(incident, chain, names, at),
        told=[_told(incident, notice, at) for notice in notices],
        can_be_taken=may and chain.status in OPEN and not incident.is_over,
    )


def _status(incident: Incident, chain: Escalation, at: datetime) -> str:
    if chain.ended_at is None:
        return "Nobody has answered yet"
    ended, because = clock(chain.ended_at, incident.zone, at), chain.ended_because
    said = {
        Status.EXHAUSTED: f"{_capital(because)}, and everybody was called. {ended}",
        Status.ANSWERED: f"Answered {ended}: {because}",
        Status.WITHDRAWN: f"Not needed any more, {ended}: {because}",
    }
    return said[Status(chain.status)]


def _next(incident: Incident, chain: Escalation, names: dict[str, str], at: datetime) -> str:
    """Who is called when; after the last, when it is given up."""
    if chain.next_at is None:
        return ""
    when = clock(chain.next_at, incident.zone, at) if chain.next_at > at else "now"
    if chain.round > chain.repeats:
        return f"Everybody was called. Given up {when} if nobody answers."
    more = sum(step["wait"] for step in chain.steps[chain.position + 1 :])
    rounds = chain.repeats - chain.round
    last = chain.next_at + timedelta(minutes=more)
    said = f"Next: {names[chain.steps[chain.position]['to']]}, {when}"
    said += f", the last of this round {clock(last, incident.zone, at)}" if more else ""
    return said + (f", and all of it {plural(rounds, 'more time')}" if rounds else "")


def _told(incident: Incident, notice: Notification, at: datetime) -> Told:
    standing = standing_of(notice)
    icon, tone = HOW[standing]
    when = notice.acknowledged_at or notice.delivered_at
    says = standing.value + (f" {clock(when, incident.zone, at)}" if when else "")
    if notice.reason and standing in {Standing.UNREACHED, Standing.WAITING}:
        says += f": {notice.reason}"
    elif notice.event == "escalation.called":
        says += ", not in this incident"
    return Told(clock(notice.created_at, incident.zone, at), str(notice.recipient), icon, tone, says)


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _cursor(chain: Escalation) -> str:
    return f"{chain.started_at.astimezone(UTC):%Y%m%dT%H%M%S%f}.{chain.pk}"


def _place(cursor: str) -> Place | None:
    """The place a link to older calls names; nonsense counts as the beginning."""
    moment, _, chain_id = cursor.partition(".")
    try:
        return datetime.strptime(moment, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC), UUID(chain_id)
    except ValueError:
        return None

"""One call: the script, the reference by which the holder can check it, and what came of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import ContactAttempt
from runbooks.affected_accounts.operations.call_hours import BadHoursError, hours_in_words, set_call_hours
from runbooks.confirmations.models import Confirmation, DeskCall
from runbooks.confirmations.operations import Issued
from runbooks.confirmations.operations.calling import CallOverError, Ending, end_call, give_reference
from runbooks.confirmations.queries.calls import Urgency, Within, waiting_of
from runbooks.confirmations.queries.planning import ago, fresh_days
from runbooks.confirmations.sender import sender_of
from runbooks.confirmations.views.desk.forms import (
    CallBackForm,
    HolderForm,
    HoursForm,
    NotReachedForm,
    ReachedForm,
    dialled,
    numbers_of,
)
from runbooks.confirmations.views.desk.one import show_code
from runbooks.confirmations.views.desk.queue import WHY
from runbooks.confirmations.views.desk.within import RANG, address_of, within_of
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock
from runbooks.timeline.operations import now

Outcome = DeskCall.Outcome
FORMS: dict[str, type[HolderForm]] = {
    Outcome.NO_ANSWER: NotReachedForm,
    Outcome.REFUSED: NotReachedForm,
    Outcome.NOT_VERIFIED: NotReachedForm,
    Outcome.PUT_BACK: NotReachedForm,
    Outcome.REACHED: ReachedForm,
    Outcome.CALL_BACK: CallBackForm,
}
SAID = {
    Outcome.NO_ANSWER: "No answer from the holder of {login}. Others come first for a while.",
    Outcome.REFUSED: "The holder of {login} refused to go on.",
    Outcome.NOT_VERIFIED: "Noted: whoever answered for {login} was not recognised.",
    Outcome.PUT_BACK: "The holder of {login} is back in the queue.",
    Outcome.REACHED: "The holder of {login} was reached.",
    Outcome.CALL_BACK: "The holder of {login} comes back to the queue at that time.",
}


@require_safe
def page(request: PortalRequest, reference: str, call_id: int) -> HttpResponse:
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    return _show(request, incident, _call(incident, call_id, actor), actor)


@require_POST
def reference(request: PortalRequest, reference: str, call_id: int) -> HttpResponse:
    """A new caller reference, on the answer itself: only its hash is kept."""
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    call = _call(incident, call_id, actor)
    within_of(request.GET)
    given = give_reference(call_id=call.pk, actor=actor, at=at)
    return _show(request, incident, call, actor, given=given)


@require_POST
def end(request: PortalRequest, reference: str, call_id: int) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    call = _call(incident, call_id, actor)
    # Before anything is done: a code that was made must be shown.
    within = within_of(request.GET)
    outcome = request.POST.get("outcome", "")
    form_class = FORMS.get(outcome)
    if form_class is None:
        return _show(request, incident, call, actor, status=400)
    form = _form(form_class, request, incident, call, request.POST)
    if not form.is_valid():
        return _show(request, incident, call, actor, bound=form, status=400)
    given = form.cleaned_data
    ending = Ending(
        outcome,
        check=given.get("check", ""),
        number=given.get("number", ""),
        note=given.get("note", ""),
        call_back_at=form.moment(at) if isinstance(form, CallBackForm) else None,
        with_code="with_code" in request.POST,
        not_me="not_me" in request.POST,
        best_until=given.get("best_until"),
    )
    try:
        issued = end_call(call_id=call.pk, ending=ending, actor=actor, at=at)
    except (NotFoundError, NotAllowedError, CallOverError):
        raise
    except DomainError as error:
        form.add_error(None, str(error))
        return _show(request, incident, call, actor, bound=form, status=error.status)
    return _after(request, incident, call, Outcome(outcome), issued, actor, within)


def _after(
    request: PortalRequest,
    incident: Incident,
    call: DeskCall,
    outcome: Outcome,
    issued: Issued | None,
    actor: Actor,
    within: Within,
) -> HttpResponse:
    if issued is not None:
        return show_code(request, incident, call.affected_account, issued, actor, within)
    messages.success(request, SAID[outcome].format(login=call.affected_account.login))
    return redirect(reverse("desk", args=[incident.reference]) + address_of(within))


@require_POST
def hours(request: PortalRequest, reference: str, call_id: int) -> HttpResponse:
    """When the holder is best called."""
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    call = _call(incident, call_id, actor)
    form = _form(HoursForm, request, incident, call, {} if "clear" in request.POST else request.POST)
    if not form.is_valid():
        return _show(request, incident, call, actor, bound=form, status=400)
    given = form.cleaned_data
    try:
        outcome = set_call_hours(
            incident_id=incident.pk,
            affected_id=call.affected_account_id,
            call_from=given["call_from"],
            call_until=given["call_until"],
            actor=actor,
            at=at,
        )
    except BadHoursError as error:
        form.add_error(None, str(error))
        return _show(request, incident, call, actor, bound=form, status=error.status)
    messages.success(request, f"{outcome.said}." if outcome.changed else outcome.said)
    return redirect(reverse("desk_call", args=[incident.reference, call.pk]) + _kept(request))


def _kept(request: PortalRequest) -> str:
    """The part of the queue that is worked through, and whether the holder rang: from page to page of a call."""
    return address_of(within_of(request.GET), **{RANG: "1" if request.GET.get(RANG) else ""})


def _form(
    kind: type[HolderForm],
    request: PortalRequest,
    incident: Incident,
    call: DeskCall,
    data: Mapping[str, Any] | None = None,
) -> HolderForm:
    rang = bool(request.GET.get(RANG))
    return kind(data, account=call.affected_account.account, incident=incident, rang=rang)


def _call(incident: Incident, call_id: int, actor: Actor) -> DeskCall:
    """The call of this person that goes on. NotFoundError, NotAllowedError, CallOverError."""
    require(actor, "call_holders", incident.pk)
    found = (
        DeskCall.objects.select_related("affected_account__account", "taken_by")
        .filter(incident=incident, pk=call_id)
        .first()
    )
    if found is None:
        raise NotFoundError("There is no such call.")
    if found.taken_by_id != actor.user_id:
        raise NotAllowedError(f"{found.taken_by} has this call. Take one of your own.")
    if found.ended_at is not None:
        raise CallOverError("This call is over already. Take the next one.")
    return found


def _show(
    request: PortalRequest,
    incident: Incident,
    call: DeskCall,
    actor: Actor,
    *,
    given: str = "",
    bound: HolderForm | None = None,
    status: int = 200,
) -> HttpResponse:
    at, row = now(), call.affected_account
    days = fresh_days(row.account, at)
    # Whom nobody needs to call, and who rings, is in no queue.
    waiting = next(iter(waiting_of(incident.pk, [row.pk], at)), None)

    def make(kind: type[HolderForm]) -> HolderForm:
        if isinstance(bound, kind):
            return bound
        made = _form(kind, request, incident, call)
        made.initial = {"call_from": row.call_from, "call_until": row.call_until}
        return made

    contacts = ContactAttempt.objects.filter(affected_account=row).order_by("-at", "-pk")[:5]
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "desk",
        "call": call,
        "row": row,
        "numbers": [(label, dialled(number)) for number, label in numbers_of(row.account)],
        "changed": "" if days is None else ago(days),
        "answer": Confirmation.objects.filter(affected_account=row).order_by("-pk").first(),
        "tried": [_tried(one, incident, at) for one in contacts],
        "given": given,
        "sender": sender_of(incident),
        "bound": bound,
        "not_reached": make(NotReachedForm),
        "reached": make(ReachedForm),
        "call_back": make(CallBackForm),
        "hours": make(HoursForm),
        "best": hours_in_words(row.call_from, row.call_until),
        "is_outside": waiting is not None and waiting.is_outside_hours,
        "why": WHY[waiting.urgency][0] if waiting is not None else "",
        "is_unclaimed": waiting is not None and waiting.urgency == Urgency.UNCLAIMED,
        "rang": bool(request.GET.get(RANG)),
        "kept": _kept(request),
        "back": address_of(within_of(request.GET)),
    }
    return render(request, "confirmations/call.html", context, status=status)


def _tried(one: ContactAttempt, incident: Incident, at: datetime) -> dict[str, str]:
    return {
        "what": f"{one.get_outcome_display()}, {one.get_channel_display().lower()}",
        "when": clock(one.at, incident.zone, at),
        "who": one.made_by,
        "note": one.note,
    }

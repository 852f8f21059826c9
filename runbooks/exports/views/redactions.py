"""Taking content out: asked for and decided on one page an entry, and all of them on another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from runbooks.access.confirming import NotConfirmedError, TooManyTriesError, confirm
from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import can, require
from runbooks.errors import NotFoundError
from runbooks.exports.models import Redaction
from runbooks.exports.operations import redacting
from runbooks.exports.operations.redacting import CannotRedactError, SecondPersonError
from runbooks.exports.queries.redactions import PAGE, effect_of, redactions_of, requests_for
from runbooks.incidents.forms import Textarea, TextInput
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock, number
from runbooks.timeline import queries
from runbooks.timeline.lines import label_of
from runbooks.timeline.operations import now

# Pages fetch themselves when the timeline moves on, also one that a refused form left at its own address.
may_be_fetched = require_http_methods(["GET", "HEAD", "POST"])
STATUS_MARKS = {
    Redaction.Status.REQUESTED: ("two", "wait"),
    Redaction.Status.APPROVED: ("ban", "held"),
    Redaction.Status.REFUSED: ("fail", ""),
    Redaction.Status.WITHDRAWN: ("undo", ""),
}


class RedactionForm(forms.Form):
    """`redaction` is the request that was on the page: another one may have come since."""

    ids = "ask_%s"

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, label_suffix="", auto_id=self.ids)


class AskForm(RedactionForm):
    legal_basis = forms.CharField(
        label="Legal basis",
        max_length=redacting.BASIS_MAX,
        help_text="What obliges you, such as UK GDPR, Article 17(1)(d).",
        widget=TextInput(autocomplete="off"),
    )
    reason = forms.CharField(
        label="Reason",
        max_length=redacting.REASON_MAX,
        help_text="It stands in the timeline for ever. Name nobody.",
        widget=Textarea(rows=3),
    )


class ApproveForm(RedactionForm):
    ids = "approve_%s"
    redaction = forms.IntegerField(widget=forms.HiddenInput)
    note = forms.CharField(
        label="Note", required=False, max_length=redacting.REASON_MAX, widget=TextInput(autocomplete="off")
    )
    password = forms.CharField(
        label="Your own password",
        error_messages={"required": "Enter your own password. It proves that it is you at this screen."},
        max_length=200,
        strip=False,
        help_text="It proves that it is you at this screen.",
        widget=forms.PasswordInput(attrs={"class": "input", "autocomplete": "current-password"}),
    )


class RefuseForm(RedactionForm):
    ids = "refuse_%s"
    redaction = forms.IntegerField(widget=forms.HiddenInput)
    note = forms.CharField(
        label="Why you refuse", max_length=redacting.REASON_MAX, widget=TextInput(autocomplete="off")
    )


class WithdrawForm(RedactionForm):
    ids = "withdraw_%s"
    redaction = forms.IntegerField(widget=forms.HiddenInput)


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that was not taken, to be shown again with why."""

    form: RedactionForm
    error: str = ""
    status: int = 400


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "view_seal", incident.pk)
    place = whole_number(request.GET.get("before"))
    found = redactions_of(incident.pk, before=place)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "exports",
        "lines": [_line(one, incident, at) for one in found[:PAGE]],
        "next": found[PAGE - 1].pk if len(found) > PAGE else "",
        "is_paged": place is not None,
    }
    return render(request, "exports/redactions.html", context)


@require_safe
def one(request: PortalRequest, reference: str, sequence: int) -> HttpResponse:
    return _show(request, incident_for(actor_of(request), reference), sequence)


@may_be_fetched
def ask(request: PortalRequest, reference: str, sequence: int) -> HttpResponse:
    def act(incident: Incident, given: Mapping[str, Any]) -> str:
        redacting.ask_redaction(
            incident_id=incident.pk, sequence=sequence, actor=actor_of(request), at=now(),
            reason=given["reason"], legal_basis=given["legal_basis"],
        )  # fmt: skip
        return "Asked for. A second person decides; they were told."

    return _act(request, reference, sequence, "ask_redaction", AskForm(request.POST.dict()), act)


@may_be_fetched
@sensitive_post_parameters("password")
def approve(request: PortalRequest, reference: str, sequence: int) -> HttpResponse:
    def act(incident: Incident, given: Mapping[str, Any]) -> str:
        at = now()
        confirmed = confirm(request, request.user, given["password"], at=at)
        redacting.approve_redaction(
            incident_id=incident.pk, redaction_id=given["redaction"], note=given["note"], actor=actor_of(request),
            confirmed=confirmed, at=at,
        )  # fmt: skip
        return f"The content of #{number(sequence)} is gone. Its record stays."

    return _act(request, reference, sequence, "decide_redaction", ApproveForm(request.POST.dict()), act)


@may_be_fetched
def refuse(request: PortalRequest, reference: str, sequence: int) -> HttpResponse:
    def act(incident: Incident, given: Mapping[str, Any]) -> str:
        redacting.refuse_redaction(
            incident_id=incident.pk, redaction_id=given["redaction"], note=given["note"], actor=actor_of(request),
            at=now(),
        )  # fmt: skip
        return f"Refused. #{number(sequence)} stays as it is."

    return _act(request, reference, sequence, "decide_redaction", RefuseForm(request.POST.dict()), act)


@may_be_fetched
def withdraw(request: PortalRequest, reference: str, sequence: int) -> HttpResponse:
    def act(incident: Incident, given: Mapping[str, Any]) -> str:
        redacting.withdraw_redaction(
            incident_id=incident.pk, redaction_id=given["redaction"], actor=actor_of(request), at=now()
        )
        return f"Withdrawn. #{number(sequence)} stays as it is."

    return _act(request, reference, sequence, "ask_redaction", WithdrawForm(request.POST.dict()), act)


def _act(
    request: PortalRequest,
    reference: str,
    sequence: int,
    permission: str,
    form: RedactionForm,
    act: Callable[[Incident, Mapping[str, Any]], str],
) -> HttpResponse:
    """A refusal shows the entry's page again, with what was typed but for the password; fetched, it is that page."""
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    event = queries.entry(incident.pk, sequence)
    if request.method != "POST":
        return redirect("redaction", incident.reference, event.sequence)
    require(actor, permission, incident.pk)
    if not form.is_valid():
        return _show(request, incident, sequence, Refused(form))
    asked = form.cleaned_data.get("redaction")
    if asked is not None and not Redaction.objects.filter(event=event, pk=asked).exists():
        raise NotFoundError("There is no such request about this entry. Open the entry that it is about.")
    try:
        said = act(incident, form.cleaned_data)
    except (CannotRedactError, SecondPersonError, NotConfirmedError, TooManyTriesError) as error:
        field = "password" if isinstance(error, NotConfirmedError) else getattr(error, "field", "")
        if field in form.fields:
            form.add_error(field, str(error))
            return _show(request, incident, sequence, Refused(form, status=error.status))
        return _show(request, incident, sequence, Refused(form, str(error), error.status))
    messages.success(request, said)
    return redirect("redaction", incident.reference, sequence)


def _show(request: PortalRequest, incident: Incident, sequence: int, refused: Refused | None = None) -> HttpResponse:
    actor, at = actor_of(request), now()
    require(actor, "view_seal", incident.pk)
    event = queries.entry(incident.pk, sequence)
    found = requests_for(event)
    waiting = found[0] if found and found[0].status == Redaction.Status.REQUESTED else None
    is_mine = waiting is not None and waiting.requester_id == actor.user_id
    may_ask = can(actor, "ask_redaction") and waiting is None and event.salt is not None
    may_decide = can(actor, "decide_redaction") and waiting is not None and not is_mine
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "timeline",
        "event": event,
        "label": label_of(event.kind, event.lane),
        "happened": clock(event.occurred_at, incident.zone, at),
        "effect": effect_of(event),
        "is_gone": event.salt is None,
        "waiting": waiting,
        "requests": [_line(request_, incident, at) for request_ in found],
        "ask_form": _form(AskForm, refused) if may_ask else None,
        "approve_form": _form(ApproveForm, refused, waiting) if may_decide else None,
        "refuse_form": _form(RefuseForm, refused, waiting) if may_decide else None,
        "withdraw_form": _form(WithdrawForm, refused, waiting) if is_mine and can(actor, "ask_redaction") else None,
        "form": refused.form if refused else None,
        "error": refused.error if refused else "",
    }
    return render(request, "exports/redaction.html", context, status=refused.status if refused else 200)


def _form(kind: type[RedactionForm], refused: Refused | None, waiting: Redaction | None = None) -> RedactionForm:
    """The one that was refused, or a fresh one about what waits now."""
    form = refused.form if refused is not None and type(refused.form) is kind else kind()
    if waiting is not None:
        form.initial["redaction"] = waiting.pk
    return form


def _line(redaction: Redaction, incident: Incident, at: Any) -> dict[str, Any]:
    icon, tone = STATUS_MARKS[Redaction.Status(redaction.status)]
    return {
        "redaction": redaction,
        "icon": icon,
        "tone": tone,
        "status": redaction.get_status_display(),
        "asked": clock(redaction.requested_at, incident.zone, at),
        "decided": clock(redaction.decided_at, incident.zone, at) if redaction.decided_at else "",
    }

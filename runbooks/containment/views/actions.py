"""What the forms about a step post to: one operation each, then back to the step."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import Actor
from runbooks.containment import operations
from runbooks.containment.models import Step
from runbooks.containment.queries import evidence_of, possible_owners, step_for
from runbooks.containment.views.forms import AssignForm, CompleteForm, EvidenceForm, ReasonForm, StepForm
from runbooks.containment.views.open_step import Refused
from runbooks.containment.views.rows import Wanted, Wording
from runbooks.containment.views.steps import render_steps
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import StaleFormError
from runbooks.incidents.queries import incident_for
from runbooks.timeline.operations import now

Operate = Callable[[dict[str, Any]], str]
"""Calls the operation with who, where and when; returns what to say when it is done."""


def _answer(
    request: PortalRequest,
    incident: Incident,
    step: Step,
    verb: str,
    operate: Operate,
    form: StepForm | None = None,
    evidence_id: int | None = None,
) -> HttpResponse:
    """Run the operation and go back to the step; a refusal shows the page again with what was typed."""
    actor, at = actor_of(request), now()
    wanted = Wanted.read(request.GET, opened=step.key)
    if request.method != "POST":
        return redirect(Wording(incident, actor, at, wanted).step_address(step.key))
    if form is not None and not form.is_valid():
        message = "; ".join(str(error) for errors in form.errors.values() for error in errors)
        refused = Refused(verb, message, form, evidence_id=evidence_id)
        return render_steps(request, incident, wanted, at, refused, status=400)
    try:
        said = operate(_arguments(incident, step, actor, at))
    except (NotFoundError, NotAllowedError):
        raise
    except DomainError as error:
        current = error.current if isinstance(error, StaleFormError) else None
        refused = Refused(verb, str(error), form, current, evidence_id)
        return render_steps(request, incident, wanted, at, refused, status=error.status)
    messages.success(request, said)
    return redirect(Wording(incident, actor, at, wanted).step_address(step.key))


def _arguments(incident: Incident, step: Step, actor: Actor, at: datetime) -> dict[str, Any]:
    return {"incident_id": incident.pk, "key": step.key, "actor": actor, "at": at}


def _found(request: PortalRequest, reference: str, key: str) -> tuple[Incident, Step]:
    incident = incident_for(actor_of(request), reference)
    return incident, step_for(incident.pk, key)


@require_http_methods(["GET", "HEAD", "POST"])
def claim(request: PortalRequest, reference: str, key: str) -> HttpResponse:
    incident, step = _found(request, reference, key)

    def operate(where: dict[str, Any]) -> str:
        operations.claim(**where)
        return f"You have step {step.number}."

    return _answer(request, incident, step, "claim", operate)


@require_http_methods(["GET", "HEAD", "POST"])
def start(request: PortalRequest, reference: str, key: str) -> HttpResponse:
    incident, step = _found(request, reference, key)

    def operate(where: dict[str, Any]) -> str:
        operations.start(**where)
        return f"Step {step.number} is in progress."

    return _answer(request, incident, step, "start", operate)


@require_http_methods(["GET", "HEAD", "POST"])
def assign(request: PortalRequest, reference: str, key: str) -> HttpResponse:
    incident, step = _found(request, reference, key)
    form = AssignForm(request.POST, step=step, verb="assign", people=possible_owners(incident.pk))

    def operate(where: dict[str, Any]) -> str:
        user = form.cleaned_data["user"]
        operations.assign(**where, user_id=user.pk if user else None, version=form.cleaned_data["version"])
        return f"{user} has step {step.number} now." if user else f"Nobody has step {step.number} now."

    return _answer(request, incident, step, "assign", operate, form)


@require_http_methods(["GET", "HEAD", "POST"])
def complete(request: PortalRequest, reference: str, key: str) -> HttpResponse:
    incident, step = _found(request, reference, key)
    form = CompleteForm(request.POST, step=step, verb="complete")

    def operate(where: dict[str, Any]) -> str:
        operations.complete(**where, reason=form.cleaned_data["reason"], version=form.cleaned_data["version"])
        return f"Step {step.number} is done: {step.title}."

    return _answer(request, incident, step, "complete", operate, form)


@require_http_methods(["GET", "HEAD", "POST"])
def waive(request: PortalRequest, reference: str, key: str) -> HttpResponse:
    incident, step = _found(request, reference, key)
    form = ReasonForm(request.POST, step=step, verb="waive", label="Why the step is not needed here")

    def operate(where: dict[str, Any]) -> str:
        operations.waive(**where, reason=form.cleaned_data["reason"], version=form.cleaned_data["version"])
        return f"Step {step.number} is waived: {step.title}."

    return _answer(request, incident, step, "waive", operate, form)


@require_http_methods(["GET", "HEAD", "POST"])
def reopen(request: PortalRequest, reference: str, key: str) -> HttpResponse:
    incident, step = _found(request, reference, key)
    form = ReasonForm(request.POST, step=step, verb="reopen", label="Why the step is reopened")

    def operate(where: dict[str, Any]) -> str:
        operations.reopen(**where, reason=form.cleaned_data["reason"], version=form.cleaned_data["version"])
        return f"Step {step.number} is open again: {step.title}."

    return _answer(request, incident, step, "reopen", operate, form)


@require_http_methods(["GET", "HEAD", "POST"])
def add_evidence(request: PortalRequest, reference: str, key: str) -> HttpResponse:
    incident, step = _found(request, reference, key)
    form = EvidenceForm(request.POST, request.FILES, step=step)

    def operate(where: dict[str, Any]) -> str:
        operations.add_evidence(**where, evidence=form.evidence())
        return f"Evidence added to step {step.number}."

    return _answer(request, incident, step, "evidence", operate, form)


@require_http_methods(["GET", "HEAD", "POST"])
def withdraw_evidence(request: PortalRequest, reference: str, key: str, evidence_id: int) -> HttpResponse:
    incident, step = _found(request, reference, key)
    if evidence_id not in {piece.pk for piece in evidence_of(step.pk)}:
        raise NotFoundError("There is no such evidence on this step.")
    form = ReasonForm(request.POST, step=step, verb=f"withdraw-{evidence_id}", label="Why it does not count")

    def operate(where: dict[str, Any]) -> str:
        operations.withdraw_evidence(**where, evidence_id=evidence_id, reason=form.cleaned_data["reason"])
        return f"Evidence of step {step.number} is withdrawn. It stays to be seen, struck through."

    return _answer(request, incident, step, "withdraw", operate, form, evidence_id)

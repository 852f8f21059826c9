"""Codes for chosen holders: who gets what, and who has nothing on file that will do."""

import hashlib
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.affected_accounts.views.change import Selection, read_selection
from runbooks.confirmations.models import Code, LetterRun
from runbooks.confirmations.operations.ordering import TextTo, order_texts
from runbooks.confirmations.operations.printing import LETTERS_AT_MOST, Printed, envelope_list, print_letters
from runbooks.confirmations.queries.planning import Plan, plan_codes
from runbooks.confirmations.text_messages import is_configured
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import plural
from runbooks.timeline.operations import now

Channel = Code.Channel
MOVED = "What is on file changed while you looked, or somebody else sent codes. Look again, then send them."


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "issue_code", incident.pk)
    selection = read_selection(request, incident)
    if why := _why_not(incident, selection):
        messages.warning(request, why)
        return redirect(selection.back)
    letters_only = request.GET.get("by") == "letter"
    plans = plan_codes(incident_id=incident.pk, affected_ids=selection.ids, at=at, letters_only=letters_only)
    if not plans:
        raise NotFoundError("There are no such accounts in this incident.")
    refusal, status = "", 200
    if request.method == "POST":
        try:
            return _send(request, incident, selection, plans)
        except (NotFoundError, NotAllowedError):
            raise
        except DomainError as error:
            refusal, status = str(error), error.status
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "accounts",
        "selection": selection,
        "letters_only": letters_only,
        "refusal": refusal,
        "runs": LetterRun.objects.filter(incident=incident).order_by("-number")[:5],
        **_shown(plans, request),
    }
    return render(request, "confirmations/codes.html", context, status=status)


def _why_not(incident: Incident, selection: Selection) -> str:
    if incident.is_over:
        return f"The incident is {incident.get_status_display().lower()}: no codes are sent in it any more."
    if not selection.ids:
        return "No accounts are chosen. Tick some first."
    if len(selection.ids) > LETTERS_AT_MOST:
        return f"{plural(len(selection.ids), 'account')} are chosen. Send codes to {LETTERS_AT_MOST} at most at once."
    return ""


class _MovedError(DomainError):
    """The plan is not the one that was looked at."""


def _send(request: PortalRequest, incident: Incident, selection: Selection, plans: Sequence[Plan]) -> HttpResponse:
    if request.POST.get("seen") != _digest(plans):
        raise _MovedError(MOVED)
    used = set(request.POST.getlist("use"))
    wanted = Channel.LETTER if request.POST.get("do") == "letters" else Channel.TEXT
    chosen = [plan for plan in plans if plan.channel == wanted and str(plan.affected_id) in used]
    if not chosen:
        raise _MovedError("No holder is ticked for this. Tick some first.")
    actor, at = actor_of(request), now()
    if wanted == Channel.LETTER:
        ids = [plan.affected_id for plan in chosen]
        printed = print_letters(incident_id=incident.pk, affected_ids=ids, fresh_ids=ids, actor=actor, at=at)
        return _file(incident, printed, "letters")
    texts = [TextTo(plan.affected_id, plan.address, plan.source) for plan in chosen]
    order_texts(incident_id=incident.pk, texts=texts, actor=actor, at=at)
    messages.success(request, f"{plural(len(texts), 'text message')} ordered. Each code is made when it leaves.")
    return redirect(selection.back)


def _digest(plans: Sequence[Plan]) -> str:
    """By which is seen whether what is sent is what was looked at."""
    said = "\n".join(f"{plan.affected_id} {plan.channel} {plan.address} {plan.is_fresh}" for plan in plans)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _shown(plans: Sequence[Plan], request: PortalRequest) -> dict[str, Any]:
    used = set(request.POST.getlist("use"))
    rows = [
        {
            "plan": plan,
            "is_text": plan.channel == Channel.TEXT,
            "is_used": str(plan.affected_id) in used if request.method == "POST" else not plan.is_fresh,
        }
        for plan in plans
        if plan.channel
    ]
    by_text = sum(plan.channel == Channel.TEXT for plan in plans)
    return {
        "rows": rows,
        "without": [plan for plan in plans if not plan.channel],
        "total": len(plans),
        "by_text": by_text,
        "by_letter": len(rows) - by_text,
        "fresh": sum(plan.is_fresh for plan in plans),
        "has_gateway": is_configured(),
        "seen": _digest(plans),
    }


@require_safe
def envelopes(request: PortalRequest, reference: str, number: int) -> HttpResponse:
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    return _file(incident, envelope_list(incident_id=incident.pk, run_number=number, actor=actor), "envelopes")


def _file(incident: Incident, printed: Printed, what: str) -> HttpResponse:
    name = f"{incident.reference}-{what}-run-{printed.run.number}.pdf"
    response = HttpResponse(printed.pdf, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response

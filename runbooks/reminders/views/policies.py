"""Whom events call while nobody answers: the list, and one of them with its form, its preview and its history."""

from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import Actor, can, require
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incidents_of
from runbooks.notifications.events import Chain
from runbooks.presentation import clock
from runbooks.reminders.operations.policies import BadPolicyError, StalePolicyError, back_to_shipped, save_policy
from runbooks.reminders.queries.policies import (
    Policy,
    callables,
    history_of,
    in_words,
    names_of,
    policies,
    policy_of,
    preview,
)
from runbooks.reminders.views.policy_form import SEVERITIES, BackForm, PolicyForm
from runbooks.timeline.operations import now

INCIDENTS_MOST = 20
ZONE = ZoneInfo(settings.INSTITUTION_TIME_ZONE)
FOR = {value: label.lower() for value, label in SEVERITIES}


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    actor = actor_of(request)
    require(actor, "view_escalation")
    found = policies()
    names = names_of([policy.chain.steps for policy in found])
    lines = [
        {"policy": one, "words": in_words(one.chain, names), "severity": FOR[one.chain.severity_at_most]}
        for one in found
    ]
    may_manage = can(actor, "manage_escalation")
    context = {"lines": lines, "may_manage": may_manage, "zone": ZONE, "now": now()}
    return render(request, "reminders/policies.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def one(request: PortalRequest, event: str) -> HttpResponse:
    actor = actor_of(request)
    require(actor, "view_escalation")
    policy = policy_of(event)
    if request.method != "POST":
        return _show(request, policy)
    require(actor, "manage_escalation")
    form = PolicyForm(policy, callables(), request.POST)
    if form.is_valid():
        wanted = form.policy()
        if "look" in request.POST:
            chain = Chain(wanted.severity_at_most, wanted.repeats, [{"to": t, "wait": w} for t, w in wanted.steps])
            return _show(request, policy, form=form, unsaved=chain)
        try:
            kept = save_policy(event=event, version=form.cleaned_data["version"], policy=wanted, actor=actor, at=now())
        except BadPolicyError as error:
            form.add_error(error.field, str(error))
        except StalePolicyError as error:
            form.add_error(None, str(error))
        else:
            messages.success(
                request, f"Version {kept.version} counts from now on. Chains that run go on as they began."
            )
            return redirect("escalation_policy", event)
    return _show(request, policy_of(event), form=form, status=400)


@require_http_methods(["GET", "HEAD", "POST"])
def back(request: PortalRequest, event: str) -> HttpResponse:
    """A page that a refused form left at this address may be fetched again."""
    actor = actor_of(request)
    require(actor, "manage_escalation")
    policy = policy_of(event)
    if request.method != "POST":
        return redirect("escalation_policy", event)
    form = BackForm(policy, request.POST)
    if form.is_valid():
        try:
            back_to_shipped(event=event, **form.cleaned_data, actor=actor, at=now())
        except BadPolicyError as error:
            form.add_error(error.field, str(error))
        except StalePolicyError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "It calls people as shipped again.")
            return redirect("escalation_policy", event)
    return _show(request, policy_of(event), back_form=form, status=400)


def _show(
    request: PortalRequest,
    policy: Policy,
    *,
    form: PolicyForm | None = None,
    back_form: BackForm | None = None,
    unsaved: Chain | None = None,
    status: int = 200,
) -> HttpResponse:
    actor, at = actor_of(request), now()
    may_manage = can(actor, "manage_escalation")
    chosen, rooms = _incident(actor, request.GET.get("incident", ""))
    versions = history_of(policy.event.name)
    names = names_of([policy.chain.steps, *(version.steps for version in versions)])
    context: dict[str, Any] = {
        "policy": policy,
        "words": in_words(policy.chain, names),
        "severity": FOR[policy.chain.severity_at_most],
        "shipped": policy.event.chain,
        "may_manage": may_manage,
        "rooms": rooms,
        "chosen": chosen,
        "is_unsaved": unsaved is not None,
        "preview": _lines(unsaved or policy.chain, chosen, at),
        "history": [
            {"version": version, "words": in_words(_chain(version), names) if version.steps else ""}
            for version in versions
        ],
        "zone": ZONE,
        "now": at,
    }
    if may_manage:
        context["form"] = form or PolicyForm(policy, callables())
        context["back_form"] = back_form or BackForm(policy)
    return render(request, "reminders/policy.html", context, status=status)


def _chain(version: Any) -> Chain:
    return Chain(version.severity_at_most, version.repeats, version.steps)


def _incident(actor: Actor, reference: str) -> tuple[Incident | None, list[Incident]]:
    """The running incidents of this person, and which of them the preview is for."""
    running = incidents_of(actor).exclude(status__in=Incident.OVER).order_by("-declared_at")
    rooms = list(running[:INCIDENTS_MOST])
    return next((room for room in rooms if room.reference == reference), None), rooms


def _lines(chain: Chain, incident: Incident | None, at: Any) -> dict[str, Any]:
    """The preview, its moments by the clock of the incident."""
    zone = incident.zone if incident else ZONE
    found = preview(chain, incident, at)
    lines = [{"at": clock(line.at, zone, at), "line": line} for line in found.lines]
    is_started = incident is None or incident.severity <= chain.severity_at_most
    return {
        "begins": clock(at, zone, at),
        "lines": lines,
        "repeats": found.repeats,
        "ends": clock(found.ends_at, zone, at),
        "is_started": is_started,
    }

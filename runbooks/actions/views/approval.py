"""A request: what a second person reads, and where they decide."""

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from runbooks.access.http import PortalRequest
from runbooks.access.permissions import can
from runbooks.actions.models import ActionDecision
from runbooks.actions.queries.scope import deciders
from runbooks.actions.views.brief import Brief
from runbooks.actions.views.draft import frame, position
from runbooks.actions.views.forms import DecideForm
from runbooks.actions.views.seen import Seen
from runbooks.presentation import plural

Decided = ActionDecision.Kind
MINUTE = timedelta(minutes=1)
CHOICES = (
    (
        Decided.APPROVED.value,
        "Approve and run now",
        "Starts when you press the button. Needs the number and your password",
    ),
    (Decided.CHANGE_ASKED.value, "Ask for a change", "Goes back with your comment, and is asked for again"),
    (Decided.REFUSED.value, "Refuse", "Needs a comment that says why. Recorded in the timeline"),
)


def show(request: PortalRequest, seen: Seen, *, status: int = 200) -> HttpResponse:
    context = frame(seen, position(request)) | _deciding(seen)
    context["has_read_label"] = _has_read(context["brief"])
    return render(request, "actions/approval.html", context, status=status)


def _deciding(seen: Seen) -> dict[str, Any]:
    why_not = _why_not(seen)
    expires = seen.action.expires_at
    left = max(expires - seen.at, timedelta()) if expires is not None else timedelta()
    digest = seen.action.digest
    return {
        "why_not": why_not,
        "decide": None if why_not else seen.form("decide") or DecideForm(seen=seen),
        "choices": CHOICES,
        "others": [str(user) for user in deciders(seen.incident, seen.action) if user.pk != seen.actor.user_id],
        "minutes_left": -(-left // MINUTE),
        "has_expired": left == timedelta(),
        "hash": f"{digest[:4]}…{digest[-4:]}",
    }


def _has_read(brief: Brief) -> str:
    chosen = sum(one.accounts for one in brief.exclusions if one.is_chosen)
    also = f", also the {plural(chosen, 'account')} not in the runbook" if chosen else ""
    also += " and who was taken in" if brief.taken_in else ""
    return f"I have read the exclusions{also}"


def _why_not(seen: Seen) -> str:
    """Why this person does not decide; empty where they may."""
    action, actor = seen.action, seen.actor
    if seen.incident.is_over:
        return f"The incident is {seen.incident.get_status_display().lower()}: nothing is begun in it any more."
    if actor.user_id is not None and actor.user_id == action.requested_by_id:
        return "You asked for this, so somebody else decides."
    if seen.is_author:
        return "You changed what is asked for, so somebody else decides."
    if not can(actor, "approve_action"):
        role = actor.role.label.lower() if actor.role else "this role"
        return f"Your role ({role}) does not decide on actions. A coordinator of this incident does."
    if action.expires_at is not None and action.expires_at <= seen.at:
        return "The request has expired. It becomes a draft again, and has to be asked for anew."
    return ""

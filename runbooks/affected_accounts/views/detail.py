"""One account's whole story, and everything that can be done with it."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import Actor, can, require
from runbooks.access.reading_log import note_account
from runbooks.affected_accounts.models import AccountFact, AffectedAccount, ContactAttempt, FactKind, State
from runbooks.affected_accounts.queries.story import (
    FactState,
    affected_account,
    facts_of,
    moves,
)
from runbooks.affected_accounts.transitions import BACK_IN_USE, CONTAINMENT, GROUPS, fact_at, level
from runbooks.affected_accounts.views.change import tell
from runbooks.affected_accounts.views.table import CHANNEL_ICONS, chip
from runbooks.affected_accounts.views.verbs import FORMS, VerbForm, Work, allowed_verbs
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock
from runbooks.timeline.operations import now

CONTAINED = 2
READ_BACK = ", read back"


@require_safe
def page(request: PortalRequest, reference: str, affected_id: int) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    account = affected_account(incident.pk, affected_id)
    return _show(request, incident, account, actor, at)


@require_POST
def act(request: PortalRequest, reference: str, affected_id: int, verb: str) -> HttpResponse:
    """One verb on this account; a refusal shows the page again with what was typed."""
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    account = affected_account(incident.pk, affected_id)
    if verb not in FORMS:
        raise Http404
    require(actor, FORMS[verb].permission, incident.pk)
    form = FORMS[verb](request.POST, incident=incident, states={account.state}, now=at)
    if not form.is_valid():
        return _show(request, incident, account, actor, at, form, status=400)
    work = Work(incident, [account.pk], actor, at, version=whole_number(request.POST.get("version")))
    try:
        outcome = form.perform(work)
    except (NotFoundError, NotAllowedError):
        raise
    except DomainError as error:
        form.add_error(None, str(error))
        return _show(request, incident, account, actor, at, form, status=error.status)
    tell(request, outcome)
    return redirect("account_detail", incident.reference, account.pk)


def _show(
    request: PortalRequest,
    incident: Incident,
    account: AffectedAccount,
    actor: Actor,
    at: datetime,
    bound: VerbForm | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    note_account(request, incident_id=incident.pk, login=account.login, at=at)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "accounts",
        "account": account,
        "state": State(account.state),
        "group": GROUPS[State(account.state)],
        "chip": chip(State(account.state)),
        "doubts": _doubts(account),
        "moves": _moves(account),
        "facts": [_fact(fact, account, incident, at) for fact in facts_of(account)],
        "contact": _newest_contact(account, incident, at),
        "may_ring": can(actor, "view_directory"),
        "may_act": can(actor, "request_action") and not incident.is_over,
        "may_send_codes": can(actor, "issue_code") and not incident.is_over,
        "forms": _forms(incident, account, actor, at, bound),
        "refused": bound,
    }
    return render(request, "affected_accounts/detail.html", context, status=status)


def _forms(
    incident: Incident, account: AffectedAccount, actor: Actor, at: datetime, bound: VerbForm | None
) -> list[VerbForm]:
    if incident.is_over:
        return []
    return [
        bound
        if bound is not None and isinstance(bound, form)
        else form(incident=incident, states={account.state}, now=at)
        for form in allowed_verbs(actor)
    ]


def _moves(account: AffectedAccount) -> list[dict[str, Any]]:
    """The way on: what may follow without a reason, and what is missing for it."""
    return [
        {
            "after": move.step.after,
            "is_ready": not move.missing and (move.step.after != State.COMPROMISED or account.tier in {"A", "B"}),
            "missing": ", ".join(kind.label.lower() for kind in move.missing),
        }
        for move in moves(account)
        if move.step.is_forward
    ]


def _doubts(account: AffectedAccount) -> str:
    """Containment that the facts no longer bear out; before the account is given back."""
    if level(account.state) < CONTAINED or account.state in BACK_IN_USE:
        return ""
    lacking = [kind.label.lower() for kind in CONTAINMENT if fact_at(account, kind) is None]
    return ", ".join(lacking)


def _fact(fact: FactState, account: AffectedAccount, incident: Incident, at: datetime) -> dict[str, Any]:
    newest = fact.newest
    word, icon, tone = "Not yet", "dot", ""
    if fact.kind in account.differs:
        word, icon, tone = "Differs", "warn", "bad"
    elif newest is not None and newest.holds:
        word, icon, tone = "Yes", "check", "good"
    elif newest is not None and fact.kind == FactKind.SIGN_IN_DISABLED and account.state in BACK_IN_USE:
        word, icon = "On again", "unlock"
    elif newest is not None:
        word, icon, tone = "No longer", "warn", "wait"
    return {
        "label": fact.kind.label,
        "word": word,
        "icon": icon,
        "tone": tone,
        "line": _finding(newest, incident, at) if newest else "",
        "note": newest.note if newest else "",
    }


def _finding(fact: AccountFact, incident: Incident, at: datetime) -> str:
    """When it became so and who says so; of a read-back, when it was looked up and where."""
    since, recorded = clock(fact.at, incident.zone, at), clock(fact.recorded_at, incident.zone, at)
    if fact.source.endswith(READ_BACK):
        return f"since {since}, checked {recorded} by {fact.source.removesuffix(READ_BACK)}"
    late = (fact.recorded_at - fact.at).total_seconds() >= 600
    return f"{since}, {fact.source}{f', recorded {recorded}' if late else ''} by {fact.recorded_by}"


def _newest_contact(account: AffectedAccount, incident: Incident, at: datetime) -> dict[str, str]:
    """Empty where nobody tried yet."""
    if account.last_contact_at is None:
        return {}
    channel = ContactAttempt.Channel(account.last_contact_channel)
    outcome = ContactAttempt.Outcome(account.last_contact_outcome)
    return {
        "icon": CHANNEL_ICONS[channel],
        "what": f"{outcome.label}, {channel.label.lower()}",
        "when": clock(account.last_contact_at, incident.zone, at),
    }

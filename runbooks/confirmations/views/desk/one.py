"""A code for one holder, by a person: read out, handed over, or through a colleague."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.confirming import Confirmation, confirm
from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.models import User
from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.affected_accounts.queries.story import affected_account
from runbooks.confirmations.codes import shown
from runbooks.confirmations.models import Code
from runbooks.confirmations.operations import Issued
from runbooks.confirmations.operations.handing import Giving, give_code
from runbooks.confirmations.queries.calls import EVERYBODY, Within
from runbooks.confirmations.queries.planning import ago, fresh_days
from runbooks.confirmations.sender import sender_of
from runbooks.confirmations.views.desk.forms import ColleagueForm, HolderForm, InPersonForm, ReadOutForm
from runbooks.confirmations.views.desk.within import address_of
from runbooks.errors import DomainError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import IncidentOverError
from runbooks.incidents.queries import incident_for
from runbooks.timeline.operations import now

FORMS: dict[str, type[HolderForm]] = {form.key: form for form in (ReadOutForm, InPersonForm, ColleagueForm)}
ABOUT = {
    "read_out": ("Read out a code", "Good for 15 minutes. Stay on the line until it is typed.", "Show the code"),
    "in_person": ("Hand it over in person", "Good for 24 hours.", "Show the code"),
    "colleague": (
        "Through a colleague",
        "Good for 24 hours. Two of you agree, and a named colleague who knows the holder takes it to them.",
        "Show the code",
    ),
}


@require_safe
def page(request: PortalRequest, reference: str, affected_id: int) -> HttpResponse:
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    require(actor, "issue_code", incident.pk)
    return _show(request, incident, affected_account(incident.pk, affected_id), actor)


@require_POST
def give(request: PortalRequest, reference: str, affected_id: int, channel: str) -> HttpResponse:
    """Make the code, and show it on the answer itself: it stands nowhere else, and no address shows it again."""
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "issue_code", incident.pk)
    row = affected_account(incident.pk, affected_id)
    if channel not in FORMS:
        raise Http404
    form = FORMS[channel](request.POST, account=row.account, incident=incident)
    if not form.is_valid():
        return _show(request, incident, row, actor, form, status=400)
    given = form.cleaned_data
    giving = Giving(
        channel,
        check=given.get("check", ""),
        number=given.get("number", ""),
        note=given.get("note", ""),
        colleague=given.get("colleague", ""),
    )
    try:
        seconded = _seconded(request, given, at) if channel == Code.Channel.COLLEAGUE else None
        issued = give_code(
            incident_id=incident.pk, affected_id=row.pk, giving=giving, actor=actor, at=at, seconded=seconded
        )
    except NotFoundError:
        raise
    except DomainError as error:
        form.add_error(None, str(error))
        return _show(request, incident, row, actor, form, status=error.status)
    return show_code(request, incident, row, issued, actor)


def _seconded(request: PortalRequest, given: Mapping[str, Any], at: datetime) -> tuple[User, Confirmation]:
    """The other person at this screen. Raises NotConfirmedError, TooManyTriesError."""
    user = User.objects.get(pk=int(given["second"]))
    return user, confirm(request, user, given["password"], at=at)


def show_code(
    request: PortalRequest,
    incident: Incident,
    row: AffectedAccount,
    issued: Issued,
    actor: Actor,
    within: Within = EVERYBODY,
) -> HttpResponse:
    """`within`: the part of the queue whose next is taken after this one."""
    context = {
        "within": within,
        "kept": address_of(within),
        "incident": incident,
        "actor": actor,
        "now": now(),
        "tab": "desk",
        "row": row,
        "issued": issued,
        "code": shown(issued.code),
        "spelled": " ".join(issued.code[:4]) + ", then " + " ".join(issued.code[4:]),
        "channel": Code.Channel(issued.channel),
        "address": sender_of(incident).address,
    }
    return render(request, "confirmations/code.html", context)


def _show(
    request: PortalRequest,
    incident: Incident,
    row: AffectedAccount,
    actor: Actor,
    bound: HolderForm | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    if incident.is_over:
        raise IncidentOverError(f"{incident.reference} is over: no codes are given in it any more.")
    at = now()
    days = fresh_days(row.account, at)
    forms = [
        bound if bound is not None and bound.key == key else form(account=row.account, incident=incident)
        for key, form in FORMS.items()
    ]
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "accounts",
        "row": row,
        "changed": "" if days is None else ago(days),
        "forms": [(form, *ABOUT[form.key]) for form in forms],
    }
    return render(request, "confirmations/one.html", context, status=status)

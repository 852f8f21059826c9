"""Lines of the lists that nobody has settled yet."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import can
from runbooks.affected_accounts.operations import settle_line
from runbooks.affected_accounts.queries import unresolved_count
from runbooks.affected_accounts.queries.lists import find_accounts, unresolved_line, unresolved_lines
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.timeline.operations import now


class SettleForm(forms.Form):
    """`account` is the id of a directory account, or "nobody"."""

    account = forms.CharField(max_length=20, required=False)
    reason = forms.CharField(max_length=400, required=False)

    def clean_account(self) -> str:
        chosen: str = self.cleaned_data["account"]
        if chosen != "nobody" and whole_number(chosen) is None:
            raise forms.ValidationError("Choose the account it means, or that it means nobody.")
        return chosen


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    incident = incident_for(actor_of(request), reference)
    return _show(request, incident)


@require_POST
def settle(request: PortalRequest, reference: str, line_id: int) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    unresolved_line(incident.pk, line_id)
    form = SettleForm(request.POST)
    if not form.is_valid():
        return _show(request, incident, line_id, str(next(iter(form.errors.values()))[0]), status=400)
    chosen = form.cleaned_data["account"]
    try:
        line = settle_line(
            incident_id=incident.pk,
            line_id=line_id,
            account_id=None if chosen == "nobody" else int(chosen),
            reason=form.cleaned_data["reason"],
            actor=actor,
            at=at,
        )
    except (NotFoundError, NotAllowedError):
        raise
    except DomainError as error:
        return _show(request, incident, line_id, str(error), status=error.status)
    means = f"means {line.settled_as.login}" if line.settled_as else "means nobody"
    messages.success(request, f"“{line.text}” {means}.")
    return redirect("accounts_unresolved", incident.reference)


def _show(
    request: PortalRequest, incident: Incident, refused_id: int = 0, refusal: str = "", *, status: int = 200
) -> HttpResponse:
    actor = actor_of(request)
    after = whole_number(request.GET.get("after")) or 0
    lines, more = unresolved_lines(incident.pk, after=after)
    looked, text = request.GET.get("line", ""), request.GET.get("find", "").strip()[:200]
    found = find_accounts(text) if text else ()
    context = {
        "incident": incident,
        "actor": actor,
        "now": now(),
        "tab": "accounts",
        "lines": [
            {
                "line": one.line,
                "choices": {
                    account.pk: account for account in (*(found if looked == str(one.line.pk) else ()), *one.choices)
                }.values(),
                "found": text if looked == str(one.line.pk) else "",
                "refusal": refusal if one.line.pk == refused_id else "",
            }
            for one in lines
        ],
        "more": more,
        "is_paged": bool(after),
        "waiting": unresolved_count(incident.pk),
        "may_settle": can(actor, "import_affected") and not incident.is_over,
        "chosen": request.POST.get("account", ""),
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "affected_accounts/unresolved.html", context, status=status)

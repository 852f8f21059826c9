"""One thing done to many accounts: how many and which are said before anything changes."""

from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from runbooks.access.http import PortalRequest, actor_of, whole_numbers
from runbooks.access.permissions import require
from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.affected_accounts.operations import Outcome
from runbooks.affected_accounts.queries.page import AccountFilter, selected_ids
from runbooks.affected_accounts.views.verbs import FORMS, VerbForm, Work
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import number, plural
from runbooks.timeline.operations import now

NAMED_AT_MOST = 50


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen accounts: ticked ones, or all of a filter. `back` leads to where they were chosen."""

    ids: list[int]
    wanted: AccountFilter
    is_whole: bool
    back: str


def read_selection(request: PortalRequest, incident: Incident) -> Selection:
    """From the query string, so that going back and reloading keep what was chosen."""
    wanted = AccountFilter.read(request.GET.dict())
    sort = {"sort": request.GET["sort"]} if request.GET.get("sort") else {}
    query = urlencode({**wanted.parameters(), **sort})
    back = reverse("accounts", args=[incident.reference]) + (f"?{query}" if query else "")
    if request.GET.get("whole"):
        return Selection(selected_ids(incident.pk, wanted), wanted, is_whole=True, back=back)
    ids = sorted(set(whole_numbers(request.GET.getlist("id"))))
    return Selection(ids, wanted, is_whole=False, back=back)


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PortalRequest, reference: str, verb: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    form_class = FORMS.get(verb)
    if form_class is None:
        raise Http404
    require(actor, form_class.permission, incident.pk)
    selection = read_selection(request, incident)
    rows = list(
        AffectedAccount.objects.filter(incident=incident, pk__in=selection.ids)
        .order_by("rank", "login")
        .values_list("state", "login")
    )
    if not rows:
        messages.warning(request, "No accounts are chosen. Tick some first.")
        return redirect(selection.back)
    given = request.POST if request.method == "POST" else None
    form = form_class(given, incident=incident, states={state for state, _ in rows}, now=at)
    refusal, status = "", 200
    if given is not None:
        if missing := len(selection.ids) - len(rows):
            refusal, status = _strange(missing), 409
        elif given.get("expected") != str(len(selection.ids)):
            refusal, status = _moved(len(selection.ids)), 409
        elif form.is_valid():
            try:
                outcome = form.perform(Work(incident, selection.ids, actor, at))
            except (NotFoundError, NotAllowedError):
                raise
            except DomainError as error:
                refusal, status = str(error), error.status
            else:
                tell(request, outcome)
                return redirect(selection.back)
        else:
            status = 400
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "accounts",
        "form": form,
        "selection": selection,
        "refusal": refusal,
        **_said(form, rows),
    }
    return render(request, "affected_accounts/change.html", context, status=status)


def _strange(count: int) -> str:
    return f"{plural(count, 'chosen account')} cannot be found in this incident. Go back and choose again."


def _moved(count: int) -> str:
    return (
        f"The filter lets through {plural(count, 'account')} now: others changed some while you looked. "
        "Check the number, then do it again."
    )


def _said(form: VerbForm, rows: list[tuple[str, str]]) -> dict[str, object]:
    counted = Counter(State(state) for state, _ in rows)
    logins = [login for _, login in rows]
    accounts = plural(len(rows), "account")
    return {
        "count": len(rows),
        "heading": f"{form.title} for {accounts}",
        "button": f"{form.button} for {accounts}",
        "breakdown": "; ".join(f"{number(count)} {state.label.lower()}" for state, count in counted.most_common()),
        "named": logins[:NAMED_AT_MOST],
        "more": max(len(logins) - NAMED_AT_MOST, 0),
    }


def tell(request: PortalRequest, outcome: Outcome) -> None:
    """What changed and to what; then what did not, and why."""
    said = f"{outcome.said.removesuffix('.')}."
    if outcome.changed and outcome.unchanged:
        said += f" {plural(outcome.unchanged, 'account')} stood like this already."
    messages.success(request, said)
    for refusal in outcome.refused:
        messages.warning(request, str(refusal))

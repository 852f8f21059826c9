"""The rotas: who is on call now and next in each, and where nobody is."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import Actor, can, require
from runbooks.contacts.operations import make_rota
from runbooks.contacts.operations.rotas import CannotChangeRotaError
from runbooks.contacts.queries.schedule import Standing, standings
from runbooks.contacts.views.rota_forms import RotaForm
from runbooks.contacts.wording import gaps_in_words


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    return _show(request, RotaForm())


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: PortalRequest) -> HttpResponse:
    """A page that a refused form left at this address may be fetched again."""
    require(actor_of(request), "manage_rotas")
    if request.method != "POST":
        return redirect("rotas")
    form = RotaForm(request.POST)
    if form.is_valid():
        try:
            rota = make_rota(**form.cleaned_data, actor=actor_of(request), at=timezone.now())
        except CannotChangeRotaError as error:
            form.add_error(error.field, str(error))
        else:
            messages.success(request, f"{rota.name} is there. Say now who is on call.")
            return redirect("rota", rota.pk)
    return _show(request, form, status=400)


def _show(request: PortalRequest, form: RotaForm, *, status: int = 200) -> HttpResponse:
    actor, at = actor_of(request), timezone.now()
    context = {
        "lines": [_line(one, actor, at) for one in standings(at)],
        "may_manage": can(actor, "manage_rotas"),
        "form": form,
        "now": at,
    }
    return render(request, "contacts/rotas.html", context, status=status)


def _line(one: Standing, actor: Actor, at: datetime) -> dict[str, Any]:
    return {
        "standing": one,
        "zone": ZoneInfo(one.rota.time_zone),
        "gaps": gaps_in_words(one, at),
        "is_me": one.now.user_id is not None and one.now.user_id == actor.user_id,
    }

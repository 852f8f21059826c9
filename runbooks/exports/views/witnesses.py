"""Who keeps the checkpoints outside: chosen here, for all incidents."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.exports.models import Witness
from runbooks.exports.operations import witnessing
from runbooks.exports.queries import seal
from runbooks.incidents.forms import TextInput
from runbooks.notifications.channels import email
from runbooks.notifications.channels.domains import is_inside
from runbooks.presentation import plural
from runbooks.timeline.operations import now


class WitnessForm(forms.Form):
    """Who, and how they are reached."""

    name = forms.CharField(
        label="Who keeps them",
        max_length=160,
        help_text="A person or an office, such as Records auditor.",
        widget=TextInput(autocomplete="off"),
    )
    channel = forms.ChoiceField(
        label="By", choices=Witness.Channel.choices, widget=forms.Select(attrs={"class": "select"})
    )
    address = forms.CharField(
        label="Address",
        max_length=1000,
        help_text="A mail address, best outside the institution, or https:// of a system that keeps what is posted.",
        widget=TextInput(autocomplete="off", spellcheck="false"),
    )

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, label_suffix="")


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    require(actor_of(request), "manage_witnesses")
    return _show(request, WitnessForm())


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: PortalRequest) -> HttpResponse:
    """A page that a refused form left at this address may be fetched again."""
    require(actor_of(request), "manage_witnesses")
    if request.method != "POST":
        return redirect("witnesses")
    form = WitnessForm(request.POST.dict())
    if form.is_valid():
        try:
            witness = witnessing.add_witness(**form.cleaned_data, actor=actor_of(request), at=now())
        except witnessing.CannotAddWitnessError as error:
            form.add_error(error.field, str(error))
        else:
            _greet(request, witness)
            return redirect("witnesses")
    return _show(request, form, status=400)


def _greet(request: PortalRequest, witness: Witness) -> None:
    messages.success(request, f"{witness.name} gets each checkpoint from now on.")
    domain = email.domain_of(witness.address) if witness.channel == Witness.Channel.MAIL else ""
    if is_inside(domain, settings.INSTITUTION_MAIL_DOMAINS):
        domains = ", ".join(settings.INSTITUTION_MAIL_DOMAINS)
        messages.warning(
            request, f"{witness.address} is at {domains}: who holds that mail can take the copies back. Add another."
        )


@require_POST
def end(request: PortalRequest, witness_id: int) -> HttpResponse:
    witness = witnessing.end_witness(witness_id=witness_id, actor=actor_of(request), at=now())
    messages.success(request, f"{witness.name} gets no more checkpoints. What they have, they keep.")
    return redirect("witnesses")


@require_POST
def try_again(request: PortalRequest, witness_id: int) -> HttpResponse:
    count = witnessing.try_witness_again(witness_id=witness_id, actor=actor_of(request), at=now())
    messages.success(request, f"{plural(count, 'checkpoint')} will be sent again.")
    return redirect("witnesses")


def _show(request: PortalRequest, form: WitnessForm, *, status: int = 200) -> HttpResponse:
    stands = seal.witnesses()
    context = {
        "current": [one for one in stands if one.witness.ended_at is None],
        "ended": [one for one in stands if one.witness.ended_at is not None],
        "form": form,
        "now": now(),
    }
    return render(request, "exports/witnesses.html", context, status=status)

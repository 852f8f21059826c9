"""Subscribing a receiver. Its secret is shown on the answer to the form, and never again."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import Actor, can, require
from runbooks.incidents.forms import TextInput
from runbooks.incidents.queries import incidents_of
from runbooks.subscriptions import kinds
from runbooks.subscriptions.addresses import URL_MAX, BadReceiverError, checked_url
from runbooks.subscriptions.operations.managing import NAME_MAX, CannotSubscribeError, subscribe
from runbooks.timeline.operations import now

ALL, SOME = "all", "some"


class SubscribeForm(forms.Form):
    """Whom to call, of which incident, for which entries."""

    name = forms.CharField(
        label="Who is called",
        max_length=NAME_MAX,
        help_text="A system or an office, such as Security operations.",
        widget=TextInput(autocomplete="off"),
    )
    url = forms.CharField(
        label="Address",
        max_length=URL_MAX,
        help_text="It must begin with https:// and be the final one: no redirect is followed.",
        widget=TextInput(autocomplete="off", spellcheck="false", inputmode="url"),
    )
    incident = forms.ChoiceField(label="Of which incident", widget=forms.Select(attrs={"class": "select"}))
    which = forms.ChoiceField(
        label="Which entries",
        choices=[(ALL, "All entries"), (SOME, "Only those chosen below")],
        widget=forms.RadioSelect,
    )
    groups = forms.MultipleChoiceField(label="Kinds", required=False, widget=forms.CheckboxSelectMultiple)
    single = forms.CharField(
        label="Single kinds",
        required=False,
        max_length=1000,
        help_text="With commas between them, such as step.completed, action.finished.",
        widget=TextInput(autocomplete="off", spellcheck="false"),
    )

    def __init__(self, actor: Actor, data: Mapping[str, Any] | None = None, initial: Mapping[str, Any] | None = None):
        super().__init__(data, initial={"which": ALL, **(initial or {})}, label_suffix="")
        self.groups_of_kinds = kinds.groups()
        _choose(self, "incident", incident_choices(actor))
        _choose(self, "groups", [(word, label) for word, label, _ in self.groups_of_kinds])

    def clean_url(self) -> str:
        try:
            return checked_url(self.cleaned_data["url"])
        except BadReceiverError as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        words = given.get("single", "").replace(",", " ").split()
        given["kinds"] = [*given.get("groups", []), *words] if given.get("which") == SOME else []
        if strange := kinds.unknown(words):
            self.add_error(
                "single", f"There is no kind of entry {strange[0][:60]}. The list below says which there are."
            )
        elif given.get("which") == SOME and not given["kinds"] and not self.errors:
            self.add_error("groups", "Choose at least one kind, or all entries.")
        return given


def incident_choices(actor: Actor) -> list[tuple[str, str]]:
    """All incidents, and by its reference each one that the actor coordinates."""
    choices = [(ALL, "All incidents, those to come as well")] if can(actor, "manage_subscriptions") else []
    if can(actor, "manage_incident_subscriptions"):
        rows = incidents_of(actor).order_by("-declared_at", "-pk").values_list("reference", "title")
        choices += [(reference, f"{reference}: {title}") for reference, title in rows]
    return choices


def _choose(form: forms.Form, name: str, choices: list[tuple[str, str]]) -> None:
    field = form.fields[name]
    if isinstance(field, forms.ChoiceField):
        field.choices = choices


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PortalRequest) -> HttpResponse:
    actor = actor_of(request)
    require(actor, "manage_subscriptions")
    if request.method != "POST":
        return _show(request, SubscribeForm(actor, initial={"incident": request.GET.get("incident", ALL)}))
    form = SubscribeForm(actor, request.POST)
    if form.is_valid():
        given = form.cleaned_data
        incident_id = None
        if given["incident"] != ALL:
            incident_id = incidents_of(actor).values_list("pk", flat=True).get(reference=given["incident"])
        try:
            made = subscribe(
                name=given["name"],
                url=given["url"],
                kinds=given["kinds"],
                incident_id=incident_id,
                actor=actor,
                at=now(),
            )
        except CannotSubscribeError as error:
            form.add_error("single" if error.field == "kinds" else error.field, str(error))
        else:
            context = {"subscription": made.subscription, "secret": made.secret, "is_new": True, "now": now()}
            return render(request, "subscriptions/secret.html", context)
    return _show(request, form, status=400)


def _show(request: PortalRequest, form: SubscribeForm, *, status: int = 200) -> HttpResponse:
    return render(request, "subscriptions/new.html", {"form": form, "now": now()}, status=status)

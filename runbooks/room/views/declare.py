"""The declaration: one form, answered in a minute."""

from typing import cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.models import Role, User
from runbooks.access.permissions import require
from runbooks.catalog.loader import all_runbooks
from runbooks.incidents.forms import LocalDateTimeField, TextInput, known_zones
from runbooks.incidents.models import Incident
from runbooks.room.operations.declare import CannotDeclareError, Declaration, declare
from runbooks.timeline.operations import now


class DeclarationForm(forms.Form):
    """What a coordinator knows at the start; everything but four answers has a sensible default."""

    title = forms.CharField(
        max_length=200,
        help_text="As people will say it: Password guessing on staff mail.",
        widget=TextInput(),
    )
    severity = forms.TypedChoiceField(
        coerce=int,
        choices=[("", "Choose"), *((value, f"{value}, {label.lower()}") for value, label in Incident.Severity.choices)],
        help_text="If you are unsure, take the higher one.",
    )
    runbook = forms.ChoiceField()
    detected_at = LocalDateTimeField(label="When was it noticed?")
    detected_by = forms.CharField(
        label="By what or whom?", max_length=200, required=False, help_text="Gateway alarm, a holder's call, NCSC."
    )
    lead = forms.ModelChoiceField(
        queryset=User.objects.filter(is_active=True, role__in=[Role.COORDINATOR, Role.RESPONDER]),
        help_text="Decides from now on. Can be handed over at any time.",
    )
    tlp = forms.ChoiceField(label="Sharing (TLP 2.0)", choices=Incident.Tlp.choices, initial=Incident.Tlp.AMBER)
    codename = forms.CharField(max_length=60, required=False, help_text="For conversations that others may hear.")
    time_zone = forms.ChoiceField(choices=known_zones, initial=settings.INSTITUTION_TIME_ZONE)
    is_exercise = forms.BooleanField(
        label="This is an exercise", required=False, help_text="Marked on every page and in every notice."
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        runbooks = all_runbooks()
        runbook = cast(forms.ChoiceField, self.fields["runbook"])
        runbook.choices = [(one.slug, f"{one.title} ({len(one.steps)} steps)") for one in runbooks]
        for field in self.fields.values():
            if isinstance(field.widget, forms.Select):
                field.widget.attrs["class"] = "select"

    def declaration(self) -> Declaration:
        answers = self.cleaned_data
        return Declaration(
            runbook_slug=answers["runbook"],
            title=answers["title"],
            severity=answers["severity"],
            detected_at=answers["detected_at"],
            detected_by=answers["detected_by"],
            lead_id=answers["lead"].pk,
            codename=answers["codename"],
            tlp=answers["tlp"],
            time_zone=answers["time_zone"],
            is_exercise=answers["is_exercise"],
        )


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PortalRequest) -> HttpResponse:
    actor, at = actor_of(request), now()
    require(actor, "declare_incident")
    if request.method == "POST":
        form = DeclarationForm(request.POST)
        if form.is_valid():
            try:
                incident = declare(declaration=form.declaration(), actor=actor, at=at)
            except CannotDeclareError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{incident.reference} is declared. Next: load the list of accounts.")
                return redirect("incident", incident.reference)
    else:
        form = DeclarationForm(
            initial={
                "detected_at": at,
                "lead": actor.user_id,
                "is_exercise": request.GET.get("exercise") == "1",
                "runbook": request.GET.get("runbook", "compromised-accounts"),
            }
        )
    status = 400 if form.errors else 200
    return render(request, "room/declare.html", {"form": form, "actor": actor, "now": at}, status=status)

"""The incident's facts and its status."""

from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import can, require
from runbooks.incidents import operations
from runbooks.incidents.forms import DomainsField, LocalDateTimeField, TextInput, known_zones
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import FORWARD, TRANSITIONS, IncidentFacts
from runbooks.incidents.queries import incident_for
from runbooks.timeline.operations import now


class FactsForm(forms.Form):
    """What was known at the declaration and may be known better now."""

    title = forms.CharField(max_length=200, widget=TextInput())
    severity = forms.TypedChoiceField(coerce=int, choices=Incident.Severity.choices)
    tlp = forms.ChoiceField(label="Sharing (TLP 2.0)", choices=Incident.Tlp.choices)
    codename = forms.CharField(max_length=60, required=False, widget=TextInput())
    detected_at = LocalDateTimeField(label="When was it noticed?")
    detected_by = forms.CharField(label="By what or whom?", max_length=200, required=False, widget=TextInput())
    time_zone = forms.ChoiceField(choices=known_zones, help_text="Every time in this incident is shown in it.")
    untrusted_domains = DomainsField(
        label="Domains not to trust",
        required=False,
        help_text="One a line. No notice goes to mail, chat or other services there: it takes the person's next way, "
        "or is held. The institution's own are never trusted.",
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, data: object = None, *, incident: Incident) -> None:
        names = [name for name in self.base_fields if name != "version"]
        initial = {name: getattr(incident, name) for name in [*names, "version"]}
        super().__init__(data, initial=initial)  # type: ignore[arg-type]  # request.POST or nothing
        moment = self.fields["detected_at"]
        if isinstance(moment, LocalDateTimeField):
            moment.zone = ZoneInfo(incident.time_zone)
            moment.help_text = f"Local time, {incident.time_zone}."
        for field in self.fields.values():
            if isinstance(field.widget, forms.Select):
                field.widget.attrs["class"] = "select"

    def facts(self) -> IncidentFacts:
        answers = self.cleaned_data
        return IncidentFacts(**{name: value for name, value in answers.items() if name != "version"})


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    require(actor, "edit_incident", incident.pk)
    if request.method != "POST":
        return _render(request, incident, FactsForm(incident=incident))
    form = FactsForm(request.POST, incident=incident)
    if not form.is_valid():
        return _render(request, incident, form, status=400)
    try:
        operations.edit(
            incident_id=incident.pk, version=form.cleaned_data["version"], facts=form.facts(), actor=actor, at=now()
        )
    except operations.CannotEditError as error:
        form.add_error("detected_at", str(error))
        return _render(request, incident, form, status=error.status)
    except operations.StaleFormError as error:
        # What was typed stays in the form; saving again is then a decision made with both versions in view.
        typed = request.POST.copy()
        typed["version"] = str(incident_for(actor, reference).version)
        form = FactsForm(typed, incident=incident)
        form.add_error(None, str(error))
        return _render(request, incident, form, status=409, current=error.current)
    messages.success(request, "Saved. The change is in the timeline.")
    return redirect("incident", incident.reference)


@require_POST
def status(request: PortalRequest, reference: str) -> HttpResponse:
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    wanted, reason = request.POST.get("status", ""), request.POST.get("reason", "")
    try:
        changed = operations.change_status(incident_id=incident.pk, status=wanted, reason=reason, actor=actor, at=now())
    except operations.CannotChangeStatusError as error:
        form = FactsForm(incident=incident)
        return _render(request, incident, form, status=409, status_error=str(error), reason=reason)
    messages.success(request, f"The incident is {changed.get_status_display().lower()} now.")
    return redirect("incident", incident.reference)


def _render(
    request: PortalRequest, incident: Incident, form: FactsForm, status: int = 200, **more: object
) -> HttpResponse:
    actor = actor_of(request)
    allowed = TRANSITIONS[Incident.Status(incident.status)]
    context = {
        "incident": incident,
        "actor": actor,
        "now": now(),
        "tab": "",
        "form": form,
        "statuses": [(one.value, one.label) for one in FORWARD if one in allowed],
        "may_change_status": can(actor, "change_status"),
        **more,
    }
    return render(request, "incidents/edit.html", context, status=status)

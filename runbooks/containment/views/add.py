"""The form that adds a step to the running incident."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.containment.operations import BadStepError, NewStep, add_step
from runbooks.containment.operations.adding import INSTRUCTION_MAX, TITLE_MAX
from runbooks.containment.queries import StepLine, step_lines
from runbooks.containment.views.rows import Wanted, Wording
from runbooks.incidents.forms import LocalDateTimeField, Textarea, TextInput
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.incidents.operations import IncidentOverError
from runbooks.incidents.queries import incident_for
from runbooks.timeline.operations import now


class AddStepForm(forms.Form):
    """A step in the words of whoever needs it."""

    title = forms.CharField(
        max_length=TITLE_MAX, label="What is to be done", help_text="Begin with a verb.", widget=TextInput()
    )
    after = forms.ChoiceField(label="Stands after", widget=forms.Select(attrs={"class": "select"}))
    role = forms.ChoiceField(
        label="Who does it",
        choices=[("", "Choose a role"), *IncidentRole.Kind.choices],
        widget=forms.Select(attrs={"class": "select"}),
    )
    instruction = forms.CharField(
        required=False,
        max_length=INSTRUCTION_MAX,
        label="How it is done",
        help_text="Enough for somebody tired. Markdown works: **bold**, lists, links.",
        widget=Textarea(rows=5),
    )
    evidence = forms.CharField(
        required=False,
        label="Evidence that closes it",
        help_text="One piece a line. Without any, the step can be completed at once.",
        widget=Textarea(rows=3),
    )
    depends_on = forms.MultipleChoiceField(
        required=False, label="Can start after (optional)", widget=forms.CheckboxSelectMultiple
    )
    two_person = forms.BooleanField(required=False, label="Two people must agree on it")

    def __init__(self, data: Mapping[str, Any] | None = None, *, incident: Incident, lines: Sequence[StepLine]) -> None:
        super().__init__(data)
        self.fields["due_at"] = LocalDateTimeField(zone=incident.time_zone, required=False, label="Due")
        after = cast(forms.ChoiceField, self.fields["after"])
        after.choices = [("", "Choose a step"), *_by_phase(lines)]
        depends_on = cast(forms.MultipleChoiceField, self.fields["depends_on"])
        depends_on.choices = _by_phase([line for line in lines if not line.is_closed])

    def new_step(self) -> NewStep:
        answers = self.cleaned_data
        return NewStep(
            title=answers["title"],
            after=answers["after"],
            role=answers["role"],
            instruction=answers["instruction"],
            due_at=answers["due_at"],
            depends_on=answers["depends_on"],
            evidence=answers["evidence"].splitlines(),
            two_person=answers["two_person"],
        )


def _by_phase(lines: Sequence[StepLine]) -> list[tuple[str, list[tuple[str, str]]]]:
    phases: dict[str, list[tuple[str, str]]] = {}
    for line in lines:
        phases.setdefault(line.phase_title, []).append((line.key, f"{line.number} {line.title}"))
    return list(phases.items())


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "add_step", incident.pk)
    lines, status = step_lines(incident.pk), 200
    form = AddStepForm(request.POST if request.method == "POST" else None, incident=incident, lines=lines)
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                added = add_step(incident_id=incident.pk, step=form.new_step(), actor=actor, at=at)
            except (BadStepError, IncidentOverError) as error:
                form.add_error(None, str(error))
                status = error.status
            else:
                messages.success(request, f"Step {added.number} is added: {added.title}.")
                return redirect(Wording(incident, actor, at, Wanted()).step_address(added.key))
    context = {"incident": incident, "actor": actor, "now": at, "tab": "steps", "form": form}
    return render(request, "containment/add_step.html", context, status=status)

"""The form of a policy: a row a step, as many as there may be, without a script."""

from typing import Any, Final

from django import forms
from django.forms import BoundField
from django.http import QueryDict

from runbooks.contacts.forms import Select, TextInput
from runbooks.incidents.models import Incident
from runbooks.reminders.operations.policies import NOTE_MAX, REPEATS_MOST, STEPS_MOST, WAIT_MOST, NewPolicy
from runbooks.reminders.queries.policies import Callable, Policy

Data = QueryDict | None
NOBODY: Final = ("", "Nobody further")
SEVERITIES: Final = [
    (Incident.Severity.CRITICAL.value, "Critical alone"),
    (Incident.Severity.HIGH.value, "High and critical"),
    (Incident.Severity.MODERATE.value, "Moderate and worse"),
    (Incident.Severity.LOW.value, "Of any severity"),
]


class WaitInput(forms.NumberInput):
    def __init__(self) -> None:
        super().__init__(attrs={"class": "input", "min": 1, "max": WAIT_MOST, "inputmode": "numeric"})


class PolicyForm(forms.Form):
    """Who is called, after how long, for which severity, how often again, and why it is so from now on."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    severity_at_most = forms.TypedChoiceField(label="For incidents", coerce=int, choices=SEVERITIES, widget=Select())
    repeats = forms.TypedChoiceField(
        label="All of it again",
        coerce=int,
        choices=[(n, "Never" if not n else "Once" if n == 1 else f"{n} times") for n in range(REPEATS_MOST + 1)],
        widget=Select(),
    )
    is_active = forms.BooleanField(
        label="Calls people", required=False, help_text="Switched off, the event is told and nobody is called further."
    )
    note = forms.CharField(
        label="Why it is changed",
        max_length=NOTE_MAX,
        help_text="Kept with the version, for those who ask later.",
        widget=TextInput(),
    )

    def __init__(self, policy: Policy, known: list[Callable], data: Data = None) -> None:
        super().__init__(data, label_suffix="", initial=_initial(policy))
        labels = {one.to: one.label for one in known}
        gone = [to for step in policy.chain.steps if (to := str(step["to"])) not in labels]
        choices = [NOBODY, *labels.items(), *((to, f"{to}, not there any more") for to in gone)]
        for number in range(1, STEPS_MOST + 1):
            self.fields[f"to_{number}"] = forms.ChoiceField(
                label=f"Step {number} calls", choices=choices, required=False, widget=Select()
            )
            self.fields[f"wait_{number}"] = forms.IntegerField(
                label=f"Minutes before step {number}",
                min_value=1,
                max_value=WAIT_MOST,
                required=False,
                widget=WaitInput(),
            )

    def rows(self) -> list[tuple[int, BoundField, BoundField]]:
        """(number, whom, wait): those that are filled, and two more; all of them once the form was sent."""
        filled = max((n for n in range(1, STEPS_MOST + 1) if self.initial.get(f"to_{n}")), default=0)
        shown = STEPS_MOST if self.is_bound else min(filled + 2, STEPS_MOST)
        return [(n, self[f"to_{n}"], self[f"wait_{n}"]) for n in range(1, shown + 1)]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        for number in range(1, STEPS_MOST + 1):
            whom, wait = said.get(f"to_{number}"), said.get(f"wait_{number}")
            if whom and wait is None and f"wait_{number}" not in self.errors:
                self.add_error(f"wait_{number}", "Say how many minutes to wait before.")
        return said

    def policy(self) -> NewPolicy:
        """What was filled in; rows without anybody are left out."""
        said = self.cleaned_data
        rows = [(said[f"to_{n}"], said[f"wait_{n}"]) for n in range(1, STEPS_MOST + 1) if said[f"to_{n}"]]
        return NewPolicy(
            steps=rows,
            severity_at_most=said["severity_at_most"],
            repeats=said["repeats"],
            is_active=said["is_active"],
            note=said["note"],
        )


def _initial(policy: Policy) -> dict[str, Any]:
    chain = policy.chain
    found: dict[str, Any] = {
        "version": policy.version,
        "severity_at_most": chain.severity_at_most,
        "repeats": chain.repeats,
        "is_active": policy.is_active,
    }
    for number, step in enumerate(chain.steps, start=1):
        found |= {f"to_{number}": step["to"], f"wait_{number}": step["wait"]}
    return found


class BackForm(forms.Form):
    """Back to how the portal came."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    note = forms.CharField(label="Why it goes back", max_length=NOTE_MAX, widget=TextInput())

    def __init__(self, policy: Policy, data: Data = None) -> None:
        super().__init__(data, label_suffix="", prefix="back", initial={"version": policy.version})

"""The forms of rotas: a new one, one shift, and weeks that are handed over."""

from typing import Any, Final

from django import forms
from django.conf import settings
from django.http import QueryDict

from runbooks.contacts.forms import ClockInput, DayInput, MomentField, Select, TextInput
from runbooks.contacts.models import Rota
from runbooks.contacts.operations.rotas import NAME_MAX
from runbooks.contacts.operations.shifts import WEEKS_MOST
from runbooks.contacts.zones import known_zones

Data = QueryDict | None
NOBODY: Final = ("", "Choose a person")
TURNS: Final = 6


class RotaForm(forms.Form):
    """What the duty is, and by whose clock."""

    name = forms.CharField(
        label="Duty", max_length=NAME_MAX, help_text="Such as Incident lead out of hours.", widget=TextInput()
    )
    time_zone = forms.ChoiceField(
        label="Time zone",
        choices=known_zones,
        initial=settings.INSTITUTION_TIME_ZONE,
        help_text="Its clock says when a week is handed over.",
        widget=Select(),
    )

    def __init__(self, data: Data = None) -> None:
        super().__init__(data, label_suffix="")


class ShiftForm(forms.Form):
    """One person from then until then, by the rota's clock."""

    user = forms.TypedChoiceField(label="Who", coerce=int, widget=Select())

    def __init__(
        self,
        data: Data = None,
        *,
        rota: Rota,
        people: list[tuple[int, str]],
        initial: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=initial, label_suffix="", prefix="shift")
        _offer(self, "user", [NOBODY, *people])
        clock = f"By the clock of {rota.time_zone}."
        self.fields["starts_at"] = MomentField(rota.time_zone, label="From", help_text=clock)
        self.fields["ends_at"] = MomentField(rota.time_zone, label="Until", help_text=clock)


class WeeksForm(forms.Form):
    """Who follows whom, week after week."""

    first_day = forms.DateField(label="First hand-over", widget=DayInput())
    hand_over = forms.TimeField(label="At", widget=ClockInput(), help_text="Each week at this time.")
    weeks = forms.IntegerField(
        label="For how many weeks",
        min_value=1,
        max_value=WEEKS_MOST,
        initial=12,
        widget=forms.NumberInput(attrs={"class": "input", "inputmode": "numeric"}),
    )

    def __init__(self, data: Data = None, *, people: list[tuple[int, str]], initial: dict[str, Any] | None = None):
        super().__init__(data, initial=initial, label_suffix="", prefix="weeks")
        for number in range(1, TURNS + 1):
            self.fields[f"turn_{number}"] = forms.TypedChoiceField(
                label=f"Week {number}", coerce=int, empty_value=None, required=number == 1, widget=Select()
            )
            _offer(self, f"turn_{number}", [NOBODY if number == 1 else ("", "Nobody more"), *people])

    @property
    def turns(self) -> list[forms.BoundField]:
        return [self[f"turn_{number}"] for number in range(1, TURNS + 1)]

    def user_ids(self) -> list[int]:
        """Of a valid form, in the order of their weeks; empty lines are left out."""
        chosen = (self.cleaned_data[f"turn_{number}"] for number in range(1, TURNS + 1))
        return [user_id for user_id in chosen if user_id is not None]


def _offer(form: forms.Form, name: str, choices: list[Any]) -> None:
    field = form.fields[name]
    if isinstance(field, forms.ChoiceField):
        field.choices = choices

"""The form of an entry, and moments as its fields take them."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from runbooks.errors import DomainError
from runbooks.incidents.forms import Textarea, TextInput
from runbooks.room.operations.entries import EntryText
from runbooks.timeline.models import Lane, Precision
from runbooks.timeline.moments import Moment, UnreadableMomentError, parse
from runbooks.timeline.operations import now

LANES = [(lane.value, lane.label) for lane in (Lane.NOTE, Lane.DECISION, Lane.CONTACT, Lane.DETECTION, Lane.ACTION)]
# (id, number, title), in order.
Steps = tuple[tuple[int, str, str], ...]


class EntryForm(forms.Form):
    """What somebody writes down. An empty time means now: a prefilled one would be wrong by the time it is sent."""

    lane = forms.ChoiceField(label="Kind", choices=LANES, widget=forms.Select(attrs={"class": "select"}))
    when = forms.CharField(
        label="When it happened", required=False, max_length=60, widget=TextInput(placeholder="Now", autocomplete="off")
    )
    summary = forms.CharField(
        label="What happened",
        help_text="Facts first: who did what, to which account. No passwords.",
        widget=Textarea(rows=4),
    )
    step = forms.ChoiceField(label="Step", required=False, widget=forms.Select(attrs={"class": "select"}))
    precision = forms.ChoiceField(
        label="Time known",
        required=False,
        choices=[("", "As written"), *Precision.choices],
        widget=forms.Select(attrs={"class": "select"}),
    )
    logins = forms.CharField(
        label="Accounts",
        required=False,
        widget=TextInput(placeholder="None", autocomplete="off", autocapitalize="none"),
    )
    pin = forms.BooleanField(label="Pin as a key event", required=False)

    def __init__(
        self,
        steps: Steps,
        zone: ZoneInfo | None = None,
        at: datetime | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, label_suffix="")
        self.zone, self.at = zone or ZoneInfo("UTC"), at or now()
        choices = [("", "None"), *((pk, f"{step_number} {title}") for pk, step_number, title in steps)]
        self.fields["step"] = forms.ChoiceField(
            label="Step", required=False, choices=choices, widget=forms.Select(attrs={"class": "select"})
        )

    def clean_when(self) -> Moment | None:
        text = self.cleaned_data["when"]
        return read_moment(text, self.zone, self.at) if text else None

    def text(self) -> EntryText:
        cleaned = self.cleaned_data
        when: Moment | None = cleaned["when"]
        return EntryText(
            summary=cleaned["summary"],
            lane=cleaned["lane"],
            occurred_at=when.at if when else None,
            precision=cleaned["precision"] or (when.precision if when else Precision.SECOND),
            logins=[login for login in re.split(r"[,;\s]+", cleaned["logins"]) if login],
            step_id=int(cleaned["step"]) if cleaned["step"] else None,
            pin=cleaned["pin"],
        )

    def refuse(self, error: DomainError) -> None:
        """Show the operation's refusal at the field it is about."""
        named = {"occurred_at": "when", "step_id": "step"}
        name = getattr(error, "field", None)
        self.add_error(named.get(name, name) if name else None, str(error))


def read_moment(text: str, zone: ZoneInfo, at: datetime) -> Moment:
    """The moment a field holds, in the incident's time."""
    try:
        return parse(text, zone, at)
    except UnreadableMomentError as error:
        raise ValidationError(str(error)) from None


def fields_html(form: EntryForm, *, may_pin: bool) -> SafeString:
    return render_to_string("room/_add_entry_fields.html", {"form": form, "may_pin": may_pin})


@lru_cache(maxsize=64)
def blank_fields_html(steps: Steps, *, may_pin: bool) -> SafeString:
    """The empty form follows from the steps alone; making it anew takes as long as the rest of the page."""
    return fields_html(EntryForm(steps), may_pin=may_pin)

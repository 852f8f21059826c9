"""Form parts of this slice and of the pages above it: moments by the clock of a zone, and the portal's inputs."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from runbooks.contacts.queries.quiet import reading
from runbooks.contacts.zones import YEARS


class TextInput(forms.TextInput):
    def __init__(self, **attrs: Any) -> None:
        super().__init__(attrs={"class": "input", "autocomplete": "off", **attrs})


class Select(forms.Select):
    def __init__(self) -> None:
        super().__init__(attrs={"class": "select"})


class ClockInput(forms.TimeInput):
    """A time of day, 24 h; the browser's own picker where there is one."""

    input_type = "time"

    def __init__(self) -> None:
        super().__init__(format="%H:%M", attrs={"class": "input"})


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d", attrs={"class": "input"})


class MomentField(forms.Field):
    """A moment as the clock of a zone shows it, kept aware; of an hour that is shown twice, the first."""

    def __init__(self, zone: str = settings.INSTITUTION_TIME_ZONE, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.DateTimeInput(attrs={"type": "datetime-local", "class": "input"}))
        super().__init__(**kwargs)
        self.zone = ZoneInfo(zone)

    def prepare_value(self, value: Any) -> Any:
        return f"{value.astimezone(self.zone):%Y-%m-%dT%H:%M}" if isinstance(value, datetime) else value

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            local = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise ValidationError("Write date and time as 2026-06-23T08:51.") from None
        if local.year not in YEARS:
            raise ValidationError(f"Write a year from {YEARS[0]} to {YEARS[-1]}.")
        return local if local.tzinfo else reading(local.date(), local.time(), self.zone, later=False)

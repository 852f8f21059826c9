"""Form parts that incidents share: moments in a zone, and inputs in the portal's style."""

from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from runbooks.timeline.moments import YEARS


class TextInput(forms.TextInput):
    def __init__(self, **attrs: Any) -> None:
        super().__init__(attrs={"class": "input", **attrs})


class Textarea(forms.Textarea):
    def __init__(self, **attrs: Any) -> None:
        super().__init__(attrs={"class": "input", "rows": 3, **attrs})


class LocalDateTimeField(forms.Field):
    """A moment typed in a zone's local time, kept aware. The browser's own picker where there is one."""

    def __init__(self, zone: str = settings.INSTITUTION_TIME_ZONE, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.DateTimeInput(attrs={"type": "datetime-local", "class": "input"}))
        kwargs.setdefault("help_text", f"Local time, {zone}.")
        super().__init__(**kwargs)
        self.zone = ZoneInfo(zone)

    def prepare_value(self, value: Any) -> Any:
        return f"{value.astimezone(self.zone):%Y-%m-%dT%H:%M}" if isinstance(value, datetime) else value

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            local = datetime.fromisoformat(value)
        except ValueError:
            raise ValidationError("Write date and time as 2026-06-23T08:51.") from None
        if local.year not in YEARS:
            raise ValidationError(f"Write a year from {YEARS[0]} to {YEARS[-1]}.")
        return local if local.tzinfo else local.replace(tzinfo=self.zone)


@cache
def known_zones() -> list[tuple[str, str]]:
    return [(name, name) for name in sorted(available_timezones()) if "/" in name or name == "UTC"]

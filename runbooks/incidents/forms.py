"""Form parts that incidents share: moments in a zone, and inputs in the portal's style."""

import re
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from runbooks.notifications.channels.domains import ascii_domain
from runbooks.timeline.moments import YEARS

DOMAIN = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])")


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


class DomainsField(forms.Field):
    """Domains, one a line: a list in one spelling, without repetition."""

    def __init__(self, *, most: int = 50, **kwargs: Any) -> None:
        kwargs.setdefault("widget", Textarea(spellcheck="false", autocapitalize="off"))
        super().__init__(**kwargs)
        self.most = most

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        written = [line.strip() for line in (value or "").splitlines() if line.strip()]
        if len(written) > self.most:
            raise ValidationError(f"At most {self.most} domains.")
        for line in written:
            if not DOMAIN.fullmatch(ascii_domain(line)):
                raise ValidationError(f"“{line[:80]}” is no domain. Write it as parliament.example, one a line.")
        return sorted({ascii_domain(line) for line in written})

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != initial)

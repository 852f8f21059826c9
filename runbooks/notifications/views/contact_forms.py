"""The forms of a person's own page: one more point, a code, a rule line by line, quiet hours and language."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import QueryDict

from runbooks.access.http import whole_number
from runbooks.contacts.forms import ClockInput, Select, TextInput
from runbooks.contacts.models import ContactPreferences
from runbooks.contacts.zones import known_zones
from runbooks.notifications.channels import channel
from runbooks.notifications.operations.contacting.points import ADDRESS_MAX
from runbooks.notifications.operations.contacting.rules import LINES_MOST, BadRuleError, Line

Data = QueryDict | None
NEXT_WAIT: Final = 5


class PointForm(forms.Form):
    """One more place to be reached at, by a channel that the site can send by."""

    channel = forms.ChoiceField(label="By", widget=Select())
    address = forms.CharField(
        label="Address", max_length=ADDRESS_MAX, widget=TextInput(spellcheck="false", autocapitalize="none")
    )

    def __init__(self, data: Data = None, *, channels: Sequence[str]) -> None:
        super().__init__(data, label_suffix="", prefix="point")
        field = self.fields["channel"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(name, channel(name).LABEL) for name in channels]


class PreferencesForm(forms.Form):
    """Quiet hours, language, digest."""

    language = forms.ChoiceField(label="Language of notices", choices=settings.LANGUAGES, widget=Select())
    time_zone = forms.ChoiceField(label="Time zone", choices=known_zones, widget=Select())
    quiet_from = forms.TimeField(label="Quiet from", required=False, widget=ClockInput())
    quiet_until = forms.TimeField(label="Quiet until", required=False, widget=ClockInput())
    digest_at = forms.TimeField(
        label="Daily digest at",
        required=False,
        widget=ClockInput(),
        help_text="What happened in your incidents since the day before. Leave it empty for none.",
    )

    def __init__(self, data: Data = None, *, kept: ContactPreferences | None) -> None:
        initial: dict[str, Any] = {"language": "en-gb", "time_zone": settings.INSTITUTION_TIME_ZONE}
        if kept is not None:
            initial = {name: getattr(kept, name) for name in self.base_fields}
        super().__init__(data, initial=initial, label_suffix="", prefix="prefer")


def typed_lines(data: QueryDict) -> list[Line]:
    """A rule as its form was posted, line by line. Raises BadRuleError for what is no line."""
    found = []
    for number in range(LINES_MOST):
        point_id = data.get(f"line-{number}-point")
        if point_id is None:
            break
        found.append(Line(_point_id(point_id), _minutes(data.get(f"line-{number}-wait", "0"))))
    return found


def changed(lines: Sequence[Line], do: str, data: QueryDict) -> tuple[list[Line], int]:
    """The lines after what the pressed button says, and the place of the line it moved: up-2, down-0, drop-1, add."""
    found = list(lines)
    verb, _, place_text = do[:20].partition("-")
    if verb == "add":
        found.append(Line(_point_id(data.get("new", "")), NEXT_WAIT if found else 0))
        return found, len(found) - 1
    place = whole_number(place_text)
    if place is None or place >= len(found):
        return found, -1
    if verb == "drop":
        del found[place]
        return found, -1
    to = place + {"up": -1, "down": 1}.get(verb, 0)
    if not 0 <= to < len(found):
        return found, place
    # The waits stay where they are: they say how long after the line before, whichever that is.
    moved, other = found[place], found[to]
    found[place], found[to] = replace(moved, point_id=other.point_id), replace(other, point_id=moved.point_id)
    return found, to


def _point_id(text: str) -> UUID:
    try:
        return UUID(text[:40])
    except ValueError:
        raise BadRuleError("Choose a contact point for each line.") from None


def _minutes(text: str) -> int:
    minutes = whole_number(text.strip() or "0")
    if minutes is None:
        raise BadRuleError("Write the minutes to wait as a whole number.")
    return minutes

"""What the desk says of a call, and how a code is given to one holder."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from django import forms

from runbooks.access.models import User
from runbooks.access.permissions import HELPING
from runbooks.confirmations.models import DeskCall
from runbooks.directory.models import Account
from runbooks.incidents.models import Incident
from runbooks.notifications.channels.telephones import NumberError, e164

Check = DeskCall.Check
NOTE_MAX: Final = 160


def numbers_of(account: Account) -> list[tuple[str, str]]:
    """The numbers on file, mobile first, to choose from."""
    named = ((account.mobile, "Mobile"), (account.telephone, "Telephone"))
    return [(number, f"{label} {number}") for number, label in named if number]


def dialled(number: str) -> str:
    """What a telephone dials; empty where that is not sure, such as with an extension."""
    try:
        whole = e164(number)
    except NumberError:
        return ""
    # From inside the country as it is written: which country that is, nobody needs to say.
    return whole if number.lstrip().startswith("+") else "".join(filter(str.isdecimal, number))


def _number(account: Account, *, rang: bool = False) -> forms.ChoiceField:
    on_file = numbers_of(account)
    choices = [*on_file, ("", "None: they rang, or came")]
    first = on_file[0][0] if on_file and not rang else ""
    return forms.ChoiceField(label="Number called", choices=choices, initial=first, required=False)


def _note(label: str = "Note") -> forms.CharField:
    return forms.CharField(label=label, max_length=NOTE_MAX, required=False, widget=forms.Textarea(attrs={"rows": 2}))


def _check(choices: list[tuple[str, str]]) -> forms.ChoiceField:
    return forms.ChoiceField(label="How the holder was recognised", choices=choices, widget=forms.RadioSelect)


class HolderForm(forms.Form):
    """A form about one holder. `key` tells the forms of a page apart.

    `rang`: the holder did, so that no number was called unless somebody says so.
    """

    key: ClassVar[str]

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, account: Account, incident: Incident, rang: bool = False
    ) -> None:
        super().__init__(data, auto_id=f"{self.key}-%s")
        self.incident = incident
        self.rang = rang
        self.prepare(account)

    def prepare(self, account: Account) -> None:
        """Fill in what depends on the holder."""


class NotReachedForm(HolderForm):
    key = "not-reached"
    note = _note()

    def prepare(self, account: Account) -> None:
        self.fields = {"number": _number(account, rang=self.rang), **self.fields}


class ReachedForm(HolderForm):
    key = "reached"
    check = _check(Check.choices)
    note = _note("Which facts, or who vouched")

    def prepare(self, account: Account) -> None:
        self.fields = {"number": _number(account, rang=self.rang), **self.fields}


def _clock(label: str, help_text: str = "", *, required: bool = False) -> forms.TimeField:
    widget = forms.TimeInput(format="%H:%M", attrs={"type": "time"})
    said = {"invalid": "Write a time of day, such as 14:00.", "required": "Write a time of day, such as 14:00."}
    return forms.TimeField(label=label, help_text=help_text, required=required, widget=widget, error_messages=said)


class CallBackForm(HolderForm):
    key = "call-back"
    at = _clock("Call back at", "The next time it is so.", required=True)
    best_until = _clock("Best until", "Keeps the hours from that time to this one as their best time to call.")
    note = _note()

    def moment(self, now: datetime) -> datetime:
        return next_such(self.cleaned_data["at"].hour, self.cleaned_data["at"].minute, self.incident.zone, now)


class HoursForm(HolderForm):
    """Both empty clears them; whether they are a span is the operation's to say."""

    key = "hours"
    call_from = _clock("From")
    call_until = _clock("Until")


def next_such(hour: int, minute: int, zone: ZoneInfo, now: datetime) -> datetime:
    """The next moment at which the clock in the zone shows this, also in the hour that the end of summer repeats."""
    today = now.astimezone(zone).replace(hour=hour, minute=minute, second=0, microsecond=0)
    shown: list[datetime] = []
    for day in (today, today + timedelta(days=1)):
        first, again = (day.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        shown += first, max(first, again)  # in the hour that spring leaves out, `again` is before `first`
    return min(moment for moment in shown if moment > now)


class ReadOutForm(HolderForm):
    key = "read_out"
    check = _check(Check.choices)
    note = _note("Which facts, or who vouched")

    def prepare(self, account: Account) -> None:
        self.fields = {"number": _number(account), **self.fields}


class InPersonForm(HolderForm):
    key = "in_person"
    check = _check([(kind.value, str(kind.label)) for kind in (Check.PASS, Check.VOUCHED)])
    note = _note("Who vouched")


class ColleagueForm(HolderForm):
    key = "colleague"
    colleague = forms.CharField(
        label="Colleague who vouches and takes it to the holder", max_length=160, help_text="Name and office."
    )
    second = forms.ChoiceField(label="Second person, at this screen")
    password = forms.CharField(
        label="Their own password",
        max_length=200,
        help_text="Typed by the second person. It proves that two of you agree.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )

    def prepare(self, account: Account) -> None:
        people = seconders(self.incident)
        self.fields["second"].choices = [("", "Choose"), *people]  # type: ignore[attr-defined]  # a ChoiceField


def seconders(incident: Incident) -> list[tuple[str, str]]:
    """Who in the incident may issue codes."""
    people = User.objects.filter(
        is_active=True, role__in=HELPING, memberships__incident=incident, memberships__ended_at__isnull=True
    ).order_by("name")
    return [(str(pk), name) for pk, name in people.values_list("pk", "name")]

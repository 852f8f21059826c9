"""The forms of an action before it begins: one a verb. A password typed in one of them is never given back."""

from collections.abc import Mapping
from typing import Any

from django import forms

from runbooks.access.http import whole_number
from runbooks.actions.models import ActionDecision
from runbooks.actions.operations import Choice
from runbooks.actions.operations.deciding import COMMENT_MAX
from runbooks.actions.views.run_forms import RunForm
from runbooks.actions.views.seen import Seen
from runbooks.incidents.forms import Textarea, TextInput

SHORT_MAX = 400
Decided = ActionDecision.Kind


class VersionForm(RunForm):
    """Carries the version of the action that the person saw. By itself it is a button: ask, begin."""

    version = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None = None, *, seen: Seen) -> None:
        super().__init__(data, seen=seen)
        self.initial["version"] = seen.action.version


def _password() -> forms.CharField:
    return forms.CharField(
        label="Your own password",
        strip=False,
        max_length=4096,
        help_text="It proves that it is you at this screen. It is not kept.",
        error_messages={"required": "Enter your own password. It proves that it is you at this screen."},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "class": "input"}),
    )


class ExcludeForm(VersionForm):
    verb = "exclude"
    logins = forms.CharField(
        label="Accounts to leave alone",
        help_text="One a line, as the list writes them.",
        error_messages={"required": "Name the accounts to leave alone, one a line."},
        widget=Textarea(rows=3, spellcheck="false", autocapitalize="off"),
    )
    reason = forms.CharField(
        label="Why",
        max_length=SHORT_MAX,
        error_messages={"required": "Say why these accounts are left alone: the second person asks."},
        widget=TextInput(),
    )


class TakeInForm(VersionForm):
    verb = "take-in"
    login = forms.CharField(
        label="Account to take in",
        max_length=320,
        error_messages={"required": "Name one account of those left alone."},
        widget=TextInput(list="left-alone", spellcheck="false", autocapitalize="off", autocomplete="off"),
    )
    reason = forms.CharField(
        label="Why, although it is protected",
        max_length=SHORT_MAX,
        error_messages={"required": "Say why it is taken in although it is protected."},
        widget=TextInput(),
    )
    sure = forms.BooleanField(
        label="I know what stops working when this account changes",
        error_messages={"required": "Tick this when you know what stops working. Otherwise leave the account alone."},
    )


class BreakGlassForm(RunForm):
    verb = "break-glass"
    reason = forms.CharField(
        label="Why this cannot wait for a second person",
        max_length=COMMENT_MAX,
        error_messages={"required": "Say why this cannot wait for a second person: it is reviewed afterwards."},
        widget=Textarea(rows=3),
    )
    password = _password()


class DecideForm(RunForm):
    """What the second person chose. `digest` is of what their page showed."""

    verb = "decide"
    # What is needed follows from the choice: the browser must not insist on a password of whoever refuses.
    use_required_attribute = False
    digest = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    choice = forms.ChoiceField(
        choices=[(kind.value, kind.label) for kind in (Decided.APPROVED, Decided.CHANGE_ASKED, Decided.REFUSED)],
        error_messages={"required": "Choose whether to approve, ask for a change, or refuse."},
    )
    number = forms.CharField(
        label="Type the number of accounts that will change",
        max_length=20,
        help_text="You find it under Scope.",
        error_messages={"required": "Type the number of accounts that will change. You find it under Scope."},
        widget=TextInput(inputmode="numeric", autocomplete="off"),
    )
    comment = forms.CharField(label="Comment", required=False, max_length=COMMENT_MAX, widget=Textarea(rows=2))
    has_read = forms.BooleanField(required=False)
    password = _password()

    def __init__(self, data: Mapping[str, Any] | None = None, *, seen: Seen) -> None:
        super().__init__(data, seen=seen)
        self.initial["digest"] = seen.action.digest
        self.initial["choice"] = Decided.APPROVED.value
        if data is not None and data.get("choice") in {Decided.CHANGE_ASKED, Decided.REFUSED}:
            self.fields["number"].required = self.fields["password"].required = False

    def clean_number(self) -> int | None:
        text = "".join(self.cleaned_data["number"].replace(",", "").split())
        count = whole_number(text)
        if text and count is None:
            raise forms.ValidationError("Type a number in digits. You find it under Scope.")
        return count

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        choice = given.get("choice")
        if choice == Decided.APPROVED and not given.get("has_read") and self.seen.action.exclusions.exists():
            self.add_error("has_read", "Read the exclusions, then tick that you did.")
        if choice == Decided.CHANGE_ASKED and not given.get("comment"):
            self.add_error("comment", "Write what should be changed.")
        if choice == Decided.REFUSED and not given.get("comment"):
            self.add_error("comment", "Write why you refuse: it is recorded in the timeline.")
        return given


def chosen(given: Mapping[str, Any]) -> Choice:
    """From the valid answers of a DecideForm."""
    return Choice(
        kind=Decided(given["choice"]),
        digest=given["digest"],
        typed_count=given["number"],
        has_read_exclusions=given["has_read"],
        comment=given["comment"],
    )

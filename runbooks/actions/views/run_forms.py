"""The forms of an action that has begun. What somebody typed stays in them when an operation refuses."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from django import forms

from runbooks.access.http import whole_numbers
from runbooks.actions.models import ActionAccount
from runbooks.actions.operations.settling import BY_HAND, EVIDENCE_MAX
from runbooks.actions.queries.ledger import row_ids_in_hand
from runbooks.actions.views.seen import Seen
from runbooks.incidents.forms import LocalDateTimeField, Textarea, TextInput

REASON_MAX, COMMENT_MAX = 4000, 1000
RESULTS = {
    ActionAccount.Status.DONE: "Done",
    ActionAccount.Status.ALREADY: "Was so already",
    ActionAccount.Status.FAILED: "Failed",
}


class RunForm(forms.Form):
    """One verb on one action. Ids of its fields carry the verb: several forms stand on the page."""

    verb = ""

    def __init__(self, data: Mapping[str, Any] | None = None, *, seen: Seen) -> None:
        super().__init__(data, auto_id=f"{self.verb}-%s")
        self.seen = seen


class ChosenForm(RunForm):
    """For ticked rows of the ledger (`row`), or for all of them (`all_name`). Two of these share the page's form."""

    use_required_attribute = False
    all_name = ""
    nobody = "Tick accounts in the list first."

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.is_for_all and not self.picked:
            raise forms.ValidationError(self.nobody)
        cleaned["row_ids"] = self.row_ids()
        return cleaned

    @property
    def is_for_all(self) -> bool:
        return bool(self.data.get(self.all_name))

    @property
    def is_for_some(self) -> bool:
        """Whether it was sent for ticked rows."""
        return self.is_bound and not self.is_for_all

    @property
    def picked(self) -> list[int]:
        given = self.data.getlist("row") if hasattr(self.data, "getlist") else []
        return whole_numbers(given)

    def row_ids(self) -> list[int] | None:
        return None if self.is_for_all else self.picked


class PauseForm(RunForm):
    verb = "pause"
    reason = forms.CharField(required=False, max_length=400, label="Why it is paused", widget=TextInput(maxlength=400))


class RollbackForm(ChosenForm):
    """cleaned_data: reason, row_ids (None: every account of the action)."""

    verb, all_name = "rollback", "all_accounts"
    nobody = "Tick the accounts to put back, or roll back all of them."
    reason = forms.CharField(
        max_length=REASON_MAX,
        label="Why it is rolled back",
        error_messages={"required": "Say why it is rolled back: the second person decides on it."},
        widget=Textarea(rows=2, maxlength=REASON_MAX),
    )


class SettleForm(ChosenForm):
    """cleaned_data: row_ids, status, evidence, happened_at."""

    verb, all_name = "settle", "all_in_hand"
    nobody = "Tick the accounts that you settle, or all of them."
    status = forms.ChoiceField(
        choices=[(status.value, RESULTS[status]) for status in BY_HAND],
        label="What became of it",
        error_messages={"required": "Choose what became of it."},
        widget=forms.RadioSelect,
    )
    evidence = forms.CharField(
        max_length=EVIDENCE_MAX,
        label="What shows it",
        error_messages={"required": "Write what shows it: what was seen, where, and when."},
        help_text="What was seen, where, and by whom.",
        widget=Textarea(rows=2, maxlength=EVIDENCE_MAX),
    )
    happened_at = LocalDateTimeField(required=False, label="When it was so")

    def __init__(self, data: Mapping[str, Any] | None = None, *, seen: Seen) -> None:
        super().__init__(data, seen=seen)
        moment = cast(LocalDateTimeField, self.fields["happened_at"])
        moment.zone, moment.help_text = seen.incident.zone, f"Local time, {seen.incident.time_zone}. Empty: now."

    def row_ids(self) -> list[int]:
        return row_ids_in_hand(self.seen.action.pk) if self.is_for_all else self.picked

    def clean_happened_at(self) -> datetime:
        given: datetime | None = self.cleaned_data["happened_at"]
        return given or self.seen.at


class ReviewForm(RunForm):
    """cleaned_data: comment, password."""

    verb = "review"
    comment = forms.CharField(
        max_length=COMMENT_MAX,
        label="What you found",
        error_messages={"required": "Write what you found: whether it was right, and what follows."},
        help_text="Whether it was right to begin without a second person, and what follows.",
        widget=Textarea(rows=3, maxlength=COMMENT_MAX),
    )
    password = forms.CharField(
        strip=False,
        max_length=4096,
        label="Your own password",
        error_messages={"required": "Enter your own password. It proves that it is you at this screen."},
        widget=forms.PasswordInput(attrs={"class": "input", "autocomplete": "current-password"}),
    )

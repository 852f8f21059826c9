"""The form of a text: subject, body and why, made from one version."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict

from runbooks.contacts.forms import TextInput
from runbooks.notifications.operations.editing import NOTE_MAX
from runbooks.notifications.shipped_texts import Wording
from runbooks.notifications.text_rules import SUBJECT_MAX, tidied
from runbooks.notifications.text_versions import Standing

Data = QueryDict | Mapping[str, Any] | None


class TextForm(forms.Form):
    """What a notice says in one language. Whether it may say that is the operation's to decide."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    subject = forms.CharField(label="Subject", max_length=SUBJECT_MAX, strip=False, widget=TextInput(spellcheck="true"))
    body = forms.CharField(
        label="Text",
        strip=False,
        widget=forms.Textarea(attrs={"class": "input", "rows": 7, "spellcheck": "true"}),
    )
    note = forms.CharField(
        label="Why it is changed",
        max_length=NOTE_MAX,
        help_text="Kept with the version, for those who ask later.",
        widget=TextInput(),
    )

    def __init__(self, now: Standing, data: Data = None, *, typed: Mapping[str, str] | None = None) -> None:
        """`typed` is shown instead of what counts now, and not judged yet."""
        words = now.wording
        initial: dict[str, Any] = {"version": now.version, "subject": words.subject, "body": words.body}
        initial |= typed or {}
        super().__init__(data, label_suffix="", prefix=f"text-{now.language}", initial=initial)
        for name in ("subject", "body"):
            self.fields[name].widget.attrs["lang"] = now.language

    def typed(self) -> Wording:
        """As it was posted, whether or not the rest of the form is filled in."""
        return typed_in(self.data, str(self.prefix))


class VersionForm(forms.Form):
    """A button of one version: back to shipped, or an older one again."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=10**9)
    number = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=10**9, required=False)


def typed_in(data: Mapping[str, Any], prefix: str) -> Wording:
    return tidied(Wording(str(data.get(f"{prefix}-subject", "")), str(data.get(f"{prefix}-body", ""))))

"""The forms about files."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.datastructures import MultiValueDict

from runbooks.attachments.operations import NOTE_MAX, REASON_MAX
from runbooks.incidents.forms import Textarea, TextInput


class AttachForm(forms.Form):
    """A file and what it is; `sequence` is the entry it belongs to, when the form stands at one."""

    upload = forms.FileField(label="File", allow_empty_file=True)
    note = forms.CharField(
        label="What it is, and where it came from",
        required=False,
        max_length=NOTE_MAX,
        widget=Textarea(rows=2),
    )
    sequence = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        files: "MultiValueDict[str, UploadedFile[bytes]] | None" = None,
        *,
        sequence: int | None = None,
    ) -> None:
        super().__init__(data, files, label_suffix="", initial={"sequence": sequence})


class ReasonForm(forms.Form):
    """Why a hold is put or lifted."""

    reason = forms.CharField(label="Reason", max_length=REASON_MAX, widget=TextInput(autocomplete="off"))

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, label_suffix="")

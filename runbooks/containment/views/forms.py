"""The forms about one step. What somebody typed stays in them when an operation refuses."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.utils.datastructures import MultiValueDict

from runbooks.access.models import User
from runbooks.containment.models import Evidence, Step
from runbooks.containment.operations.evidence import NOTE_MAX, URL_MAX, NewEvidence
from runbooks.containment.operations.refusals import REASON_MAX
from runbooks.incidents.forms import Textarea, TextInput

Files: TypeAlias = "MultiValueDict[str, UploadedFile[bytes]] | None"


class StepForm(forms.Form):
    """Carries the version of the step that the person saw."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Mapping[str, Any] | None = None, files: Files = None, *, step: Step, verb: str) -> None:
        super().__init__(data, files, auto_id=f"{verb}-%s", initial={"version": step.version})


class ReasonForm(StepForm):
    """Waive, reopen, withdraw."""

    reason = forms.CharField(max_length=REASON_MAX, widget=Textarea(rows=2, maxlength=REASON_MAX))

    def __init__(self, data: Mapping[str, Any] | None = None, *, step: Step, verb: str, label: str = "Reason") -> None:
        super().__init__(data, step=step, verb=verb)
        self.fields["reason"].label = label


class CompleteForm(StepForm):
    """The reason is asked for only while accounts are left."""

    reason = forms.CharField(
        required=False, max_length=REASON_MAX, label="Why it is done without them", widget=Textarea(rows=2)
    )


class AssignForm(StepForm):
    """Who has the step from now on."""

    user = forms.ModelChoiceField(
        queryset=User.objects.none(), required=False, label="Give the step to", empty_label="Nobody"
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, step: Step, verb: str, people: QuerySet[User]) -> None:
        super().__init__(data, step=step, verb=verb)
        field = cast("forms.ModelChoiceField[User]", self.fields["user"])
        field.queryset = people
        field.widget.attrs["class"] = "select"
        self.initial["user"] = step.owner_id


class EvidenceForm(StepForm):
    """A note, a link or a file; a note may go with either of the others."""

    requirement = forms.ChoiceField(
        required=False, label="What it shows", widget=forms.Select(attrs={"class": "select"})
    )
    note = forms.CharField(required=False, max_length=NOTE_MAX, widget=Textarea(rows=2))
    url = forms.CharField(
        required=False, max_length=URL_MAX, label="Link", widget=TextInput(inputmode="url", placeholder="https://")
    )
    upload = forms.FileField(required=False, label="File", allow_empty_file=True)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        files: Files = None,
        *,
        step: Step,
        verb: str = "evidence",
        missing: Iterable[str] = (),
    ) -> None:
        super().__init__(data, files, step=step, verb=verb)
        rules = [(rule["key"], rule["label"]) for rule in step.evidence_required]
        field = cast(forms.ChoiceField, self.fields["requirement"])
        field.choices = [("", "Nothing in particular"), *rules]
        self.initial["requirement"] = next(iter(missing), "")

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        if answers.get("url") and answers.get("upload"):
            raise forms.ValidationError("Add the link and the file one after the other: each is evidence of its own.")
        return answers

    def evidence(self) -> NewEvidence:
        answers = self.cleaned_data
        kind = Evidence.Kind.FILE if answers["upload"] else Evidence.Kind.LINK if answers["url"] else Evidence.Kind.NOTE
        return NewEvidence(
            kind=kind,
            requirement=answers["requirement"],
            note=answers["note"],
            url=answers["url"],
            upload=answers["upload"] or None,
        )

"""Loading an analysts' list: upload or paste, look at what it means, apply."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import require
from runbooks.affected_accounts.models import AffectedImport
from runbooks.affected_accounts.operations import Applied, apply_import, stage_import
from runbooks.affected_accounts.operations.imports import BYTES_AT_MOST, kept_list
from runbooks.affected_accounts.queries.lists import Line, Reading, find_accounts, import_of, imports_of, read_list
from runbooks.directory.models import Account
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock, number, plural
from runbooks.timeline.operations import now

SHOWN_AT_MOST = 100


class ListForm(forms.Form):
    file = forms.FileField(
        label="File",
        required=False,
        allow_empty_file=True,
        help_text="Text or CSV, one account a line, as the analysts wrote it.",
        widget=forms.FileInput(attrs={"accept": ".txt,.csv,.tsv,text/plain,text/csv"}),
    )
    text = forms.CharField(
        label="Or paste the lines",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "class": "mono", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if bool(cleaned.get("file")) == bool(cleaned.get("text", "").strip()):
            raise forms.ValidationError("Give the list once: choose a file, or paste the lines.")
        file = cleaned.get("file")
        if isinstance(file, UploadedFile) and (file.size or 0) > BYTES_AT_MOST:
            raise forms.ValidationError(f"The list is larger than {BYTES_AT_MOST // 1024 // 1024} MB. Split it.")
        return cleaned

    def content(self) -> tuple[str, bytes]:
        file = self.cleaned_data.get("file")
        if isinstance(file, UploadedFile):
            return file.name or "list.txt", file.read()
        return "Pasted list", self.cleaned_data["text"].encode()


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "import_affected", incident.pk)
    form = ListForm(request.POST, request.FILES) if request.method == "POST" else ListForm()
    if form.is_bound and form.is_valid():
        name, content = form.content()
        try:
            staged = stage_import(incident_id=incident.pk, file_name=name, content=content, actor=actor, at=at)
        except (NotFoundError, NotAllowedError):
            raise
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            return redirect("accounts_import_preview", incident.reference, staged.pk)
    lists = [(one, clock(one.uploaded_at, incident.zone, at), _counted(one)) for one in imports_of(incident.pk)]
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "accounts",
        "form": form,
        "lists": lists,
        "has_directory": Account.objects.exists(),
    }
    return render(request, "affected_accounts/import.html", context, status=400 if form.errors else 200)


def _counted(one: AffectedImport) -> str:
    counts = one.counts
    return f"{number(counts['matched'])} matched, {number(counts['ambiguous'] + counts['unmatched'])} unclear"


@dataclass(frozen=True, slots=True)
class Question:
    """A line that somebody has to look at: whom it may mean, what was searched, what is chosen."""

    line: Line
    choices: tuple[Account, ...]
    found: str
    picked: int | None


@require_http_methods(["GET", "HEAD", "POST"])
def preview(request: PortalRequest, reference: str, import_id: int) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "import_affected", incident.pk)
    staged = import_of(incident.pk, import_id)
    picks = _picks(request)
    if request.method == "POST" and "look" not in request.POST:
        applied = apply_import(incident_id=incident.pk, import_id=staged.pk, picks=picks, actor=actor, at=at)
        messages.success(request, _done(applied))
        return redirect("accounts_unresolved" if applied.unresolved else "accounts", incident.reference)
    reading = read_list(incident.pk, kept_list(staged))
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "accounts",
        "staged": staged,
        "uploaded": clock(staged.uploaded_at, incident.zone, at),
        "reading": reading,
        "new": reading.new[:SHOWN_AT_MOST],
        "new_more": max(len(reading.new) - SHOWN_AT_MOST, 0),
        "already": reading.already[:SHOWN_AT_MOST],
        "already_more": max(len(reading.already) - SHOWN_AT_MOST, 0),
        "gone": [line for line in reading.matched if line.account and line.account.gone_at][:SHOWN_AT_MOST],
        "ambiguous": _questions(request, reading.ambiguous, picks),
        "unmatched": _questions(request, reading.unmatched, picks),
        "questions_more": _beyond(reading),
        "button": _button(incident, reading),
    }
    return render(request, "affected_accounts/preview.html", context)


def _picks(request: PortalRequest) -> dict[int, int]:
    """{line number: account id} from fields pick-<number>; empty means the line stays unresolved."""
    given = [(name.removeprefix("pick-"), str(value)) for name, value in request.POST.items() if name[:5] == "pick-"]
    picks = ((whole_number(line), whole_number(account)) for line, account in given)
    return {line: account for line, account in picks if line is not None and account is not None}


def _questions(request: PortalRequest, lines: tuple[Line, ...], picks: dict[int, int]) -> list[Question]:
    questions = []
    for line in lines[:SHOWN_AT_MOST]:
        text = request.POST.get(f"find-{line.number}", "").strip()[:200]
        found = find_accounts(text) if text else ()
        choices = {account.pk: account for account in (*found, *line.choices)}
        questions.append(Question(line, tuple(choices.values()), text, picks.get(line.number)))
    return questions


def _beyond(reading: Reading) -> int:
    return sum(max(len(lines) - SHOWN_AT_MOST, 0) for lines in (reading.ambiguous, reading.unmatched))


def _button(incident: Incident, reading: Reading) -> str:
    if not reading.new:
        return "Apply the list"
    return f"Add {plural(len(reading.new), 'account')} to {incident.reference}"


def _done(applied: Applied) -> str:
    if not applied.changed:
        return "Nothing was changed: everything in this list is in the incident already."
    said = f"{plural(applied.added, 'account')} added, {number(applied.already)} there already."
    if applied.unresolved:
        said += f" {plural(applied.unresolved, 'line')} kept as unresolved."
    return said

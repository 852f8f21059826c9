"""One entry with everything about it: its seal, what it corrects and what corrects it; correcting and pinning it."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import can
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.attachments.models import Attachment
from runbooks.attachments.names import size_in_words
from runbooks.attachments.queries import attachments_of_entry
from runbooks.attachments.views.forms import AttachForm
from runbooks.attachments.views.lines import line_of
from runbooks.containment.models import Step
from runbooks.incidents.forms import Textarea, TextInput
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock, full_clock, number, span
from runbooks.room.operations.entries import (
    CannotPinError,
    CannotWriteEntryError,
    correct_entry,
    pin_entry,
    unpin_entry,
)
from runbooks.room.views.entry_form import read_moment
from runbooks.room.views.timeline_filter import cursor_text
from runbooks.timeline import queries
from runbooks.timeline.lines import RECORDED_LATE, label_of
from runbooks.timeline.marks import mark_of
from runbooks.timeline.models import Pin, Precision, TimelineEvent
from runbooks.timeline.moments import Moment, written_in_full
from runbooks.timeline.operations import now
from runbooks.timeline.verify import fault_of

ACCOUNTS_SHOWN = 50
ABOUT_FILES = ("file.attached", "file.held", "file.released")


class CorrectionForm(forms.Form):
    """What the entry should have said. It comes filled with what it says."""

    summary = forms.CharField(label="What happened", widget=Textarea(rows=4))
    when = forms.CharField(label="When it happened", max_length=60, widget=TextInput(autocomplete="off"))
    reason = forms.CharField(
        label="Reason",
        max_length=400,
        help_text="How the mistake came to light. It stands in the timeline.",
        widget=TextInput(autocomplete="off"),
    )

    def __init__(
        self, incident: Incident, standing: TimelineEvent, at: datetime, data: Mapping[str, Any] | None = None
    ) -> None:
        self.incident, self.standing, self.at = incident, standing, at
        self.said = written_in_full(standing.occurred_at, incident.zone)
        summary = "" if standing.kind == "entry.redacted" else standing.summary
        super().__init__(data, label_suffix="", initial={"summary": summary, "when": self.said})

    def clean_when(self) -> Moment:
        """An untouched time stays as exact as it was; the field shows it to the minute only."""
        if self.cleaned_data["when"] == self.said:
            return Moment(self.standing.occurred_at, Precision(self.standing.occurred_precision))
        return read_moment(self.cleaned_data["when"], self.incident.zone, self.at)


@require_safe
def page(request: PortalRequest, reference: str, sequence: int) -> HttpResponse:
    incident = incident_for(actor_of(request), reference)
    return _show(request, incident, sequence, now())


@require_POST
def correct(request: PortalRequest, reference: str, sequence: int) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    standing = _standing(incident, sequence)
    form = CorrectionForm(incident, standing, at, request.POST.dict())
    if form.is_valid():
        when: Moment = form.cleaned_data["when"]
        try:
            event = correct_entry(
                incident_id=incident.pk,
                sequence=sequence,
                summary=form.cleaned_data["summary"],
                occurred_at=when.at,
                precision=when.precision,
                reason=form.cleaned_data["reason"],
                actor=actor,
                at=at,
            )
        except CannotWriteEntryError as error:
            form.add_error({"occurred_at": "when"}.get(error.field, error.field), str(error))
        else:
            messages.success(request, f"Corrected as #{number(event.sequence)}. The first text is kept.")
            return HttpResponseRedirect(reverse("timeline_entry", args=[incident.reference, event.sequence]))
    return _show(request, incident, sequence, at, form)


@require_POST
def pin(request: PortalRequest, reference: str, sequence: int) -> HttpResponse:
    return _pin(request, reference, sequence, is_pinned=True)


@require_POST
def unpin(request: PortalRequest, reference: str, sequence: int) -> HttpResponse:
    return _pin(request, reference, sequence, is_pinned=False)


def _pin(request: PortalRequest, reference: str, sequence: int, *, is_pinned: bool) -> HttpResponse:
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    operation = pin_entry if is_pinned else unpin_entry
    try:
        operation(incident_id=incident.pk, sequence=sequence, actor=actor, at=now())
    except CannotPinError as error:
        # Somebody else was quicker: what was wanted is so.
        messages.info(request, str(error))
    else:
        said = "is a key event now" if is_pinned else "is no longer a key event"
        messages.success(request, f"#{number(sequence)} {said}.")
    return HttpResponseRedirect(reverse("timeline_entry", args=[incident.reference, sequence]))


def _standing(incident: Incident, sequence: int) -> TimelineEvent:
    later = queries.corrections(incident.pk, sequence)
    return later[-1] if later else queries.entry(incident.pk, sequence)


def _show(
    request: PortalRequest, incident: Incident, sequence: int, at: datetime, form: CorrectionForm | None = None
) -> HttpResponse:
    actor = actor_of(request)
    event = queries.entry(incident.pk, sequence)
    later = queries.corrections(incident.pk, sequence)
    standing = later[-1] if later else event
    may_correct = can(actor, "correct_entry")
    icon, tone = mark_of(event.kind, event.lane)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "timeline",
        "event": event,
        "icon": icon,
        "tone": tone,
        "label": label_of(event.kind, event.lane),
        "occurred": _occurred(event, incident),
        "recorded": full_clock(event.recorded_at, incident.zone),
        "later": _later(event),
        "step": Step.objects.filter(pk=event.step_id).first() if event.step_id else None,
        "accounts": list(
            AffectedAccount.objects.filter(pk__in=event.account_ids[:ACCOUNTS_SHOWN]).values_list("pk", "login")
        ),
        "more_accounts": max(0, len(event.account_ids) - ACCOUNTS_SHOWN),
        "corrections": [(one, clock(one.recorded_at, incident.zone, at)) for one in later],
        "reason": event.details.get("reason", "") if event.corrects else "",
        "details": json.dumps(event.details, indent=2, ensure_ascii=False, sort_keys=True) if event.details else "",
        "fault": fault_of(event),
        "is_redacted": event.salt is None,
        "is_last": event.sequence == incident.head_sequence,
        "is_pinned": Pin.objects.filter(event=event).exists(),
        "may_pin": can(actor, "pin_entry"),
        "standing": standing,
        "form": (form or CorrectionForm(incident, standing, at)) if may_correct else None,
        "imported": event.details.get("import") if event.kind == "entry.imported" else None,
        "files": [line_of(one, incident, at) for one in _files(event)],
        "attach": AttachForm(sequence=event.sequence) if can(actor, "attach_file") else None,
        "most": size_in_words(settings.ATTACHMENT_MAX_BYTES),
        "place": cursor_text(event.occurred_at, event.sequence + 1),
    }
    return render(request, "room/timeline_entry.html", context, status=400 if form is not None else 200)


def _files(event: TimelineEvent) -> list[Attachment]:
    """What belongs to the entry, and the file that it tells of."""
    number_ = event.details.get("file") if event.kind in ABOUT_FILES else None
    return attachments_of_entry(event.incident_id, event.sequence, number_ if isinstance(number_, int) else None)


def _occurred(event: TimelineEvent, incident: Incident) -> str:
    said = full_clock(event.occurred_at, incident.zone)
    if event.occurred_precision == Precision.DAY:
        local = event.occurred_at.astimezone(incident.zone)
        return f"{local:%a} {local.day} {local:%b %Y}, some time that day"
    return f"{said}, to the hour" if event.occurred_precision == Precision.HOUR else said


def _later(event: TimelineEvent) -> str:
    late = event.recorded_at - event.occurred_at
    return span(late) if late >= RECORDED_LATE and event.occurred_precision != Precision.DAY else ""

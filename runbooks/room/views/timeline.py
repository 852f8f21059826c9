"""The timeline: what happened, when, by whom, and the form that adds to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_http_methods, require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import can
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for, people_of
from runbooks.incidents.snapshot import at_head
from runbooks.presentation import clock, full_clock, number, plural
from runbooks.room.operations.entries import CannotWriteEntryError, add_entry
from runbooks.room.views.entry_form import LANES, EntryForm, Steps, blank_fields_html, fields_html
from runbooks.room.views.timeline_filter import PRINTED, Asked, cursor_text, read
from runbooks.room.views.timeline_lanes import lanes
from runbooks.timeline import queries
from runbooks.timeline.lines import Hour, hours, label_of
from runbooks.timeline.markup import entry_html, key_event_html
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import now

ONLY = {"": "All entries", "corrected": "Corrected", "pinned": "Key events"}


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    incident = incident_for(actor_of(request), reference)
    return _show(request, incident, now())


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: PortalRequest, reference: str) -> HttpResponse:
    """Add an entry, from here or from another page's quick note (`next`); what is refused comes back filled in.

    The page that comes back stands at this address, and so do its links: they lead on to the timeline.
    """
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    if request.method != "POST":
        return HttpResponseRedirect(f"{reverse('timeline', args=[incident.reference])}{_query(request)}")
    # A quick note has a text and nothing else.
    form = EntryForm(_steps(incident.pk), incident.zone, at, {"lane": Lane.NOTE.value, **request.POST.dict()})
    if form.is_valid():
        try:
            event = add_entry(incident_id=incident.pk, text=form.text(), actor=actor, at=at)
        except CannotWriteEntryError as error:
            form.refuse(error)
        else:
            messages.success(request, f"Added to the timeline as #{number(event.sequence)}.")
            return HttpResponseRedirect(_next(request, incident))
    return _show(request, incident, at, form)


def _query(request: PortalRequest) -> str:
    return f"?{request.GET.urlencode()}" if request.GET else ""


def _next(request: PortalRequest, incident: Incident) -> str:
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return wanted
    return reverse("timeline", args=[incident.reference])


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands on the page whichever entries are shown: the steps to choose from, the key events."""

    steps: Steps
    key_events: list[queries.KeyEvent]


def _beside(incident_id: UUID) -> Beside:
    return Beside(_steps(incident_id), queries.key_events(incident_id))


def _steps(incident_id: UUID) -> Steps:
    return tuple(Step.objects.filter(incident_id=incident_id).order_by("position").values_list("pk", "number", "title"))


def _show(request: PortalRequest, incident: Incident, at: datetime, form: EntryForm | None = None) -> HttpResponse:
    actor = actor_of(request)
    beside = at_head(incident, "beside-the-timeline", _beside)
    numbers = {pk: step_number for pk, step_number, _ in beside.steps}
    asked = read(request.GET, incident, at, numbers)
    base = reverse("timeline", args=[incident.reference])
    may_add, may_pin = can(actor, "add_entry"), can(actor, "pin_entry")
    blank = blank_fields_html(beside.steps, may_pin=may_pin) if may_add else ""
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "timeline",
        "base": base,
        "address": _query(request),
        "asked": asked,
        "texts": asked.texts,
        "is_filtered": asked.filter.is_set,
        "lane_choices": LANES,
        "only": ONLY.items(),
        "people": [(str(pk), name) for pk, name in people_of(incident.pk)],
        "kind_label": label_of(asked.filter.kind, Lane.NOTE) if asked.filter.kind else "",
        "may_import": can(actor, "import_entries"),
        "form_fields": blank if form is None else fields_html(form, may_pin=may_pin),
        "may_export": can(actor, "export_timeline"),
        "key_events": _key_events(beside.key_events, incident, at, base),
        "pinned": len(beside.key_events),
        "new_entries": _new_entries(request, incident, asked),
        "printed": PRINTED,
        "print_words": _print_words(incident, asked),
        "head": f"{incident.head_hash[:32]} {incident.head_hash[32:]}",
        "recorded_to": full_clock(at, incident.zone),
        **_list(request, incident, asked, at, numbers, base),
        **lanes(incident, asked.filter, request.GET.get("draw", "")),
    }
    return render(request, "room/timeline.html", context, status=400 if form is not None and form.errors else 200)


def _list(
    request: PortalRequest, incident: Incident, asked: Asked, at: datetime, steps: dict[int, str], base: str
) -> dict[str, object]:
    """The lines of the page, and the ways to its neighbours."""
    found = queries.page(
        incident.pk,
        asked.filter,
        newest_first=asked.newest_first,
        after=asked.after,
        before=asked.before,
        lines=asked.lines,
    )
    return {
        "hours": _hours(incident, asked, hours(found.rows, incident.zone, at, steps), base),
        "lines": len(found.rows),
        "previous_page": _page_beside(request, found, 0) if found.has_previous else "",
        "next_page": _page_beside(request, found, -1) if found.has_next else "",
    }


def _hours(incident: Incident, asked: Asked, shown: list[Hour], base: str) -> list[tuple[str, str, SafeString]]:
    """(time, day and number of entries, lines); a filter shows only some of the entries, so then none are counted."""
    starts = {hour.starts_at.astimezone(UTC): hour for hour in shown if hour.starts_at is not None}
    counts = {} if asked.filter.is_set else _hour_counts(incident.pk, incident.head_hash, tuple(starts))
    said = {id(starts[start]): f", {plural(count, 'entry', 'entries')}" for start, count in counts.items()}
    # Every line is escaped by itself.
    lines = (mark_safe("".join(entry_html(line, base) for line in hour.lines)) for hour in shown)
    return [(hour.time, hour.day + said.get(id(hour), ""), html) for hour, html in zip(shown, lines, strict=True)]


@lru_cache(maxsize=256)
def _hour_counts(incident_id: UUID, head_hash: str, starts: tuple[datetime, ...]) -> Mapping[datetime, int]:
    """Kept until the next entry, which has another hash: several people read the same page."""
    return queries.hour_counts(incident_id, starts)


def _key_events(pinned: list[queries.KeyEvent], incident: Incident, at: datetime, base: str) -> SafeString:
    lines = (
        key_event_html(event.sequence, clock(event.occurred_at, incident.zone, at), event.summary, base)
        for event in pinned
    )
    # Every line is escaped by itself.
    return mark_safe("".join(lines))


def _new_entries(request: PortalRequest, incident: Incident, asked: Asked) -> str:
    """What the page says that asks again with the number it was made at; nothing on a first visit."""
    since = whole_number(request.headers.get("X-Live"))
    if since is None or since >= incident.head_sequence:
        return ""
    count = queries.new_entries(incident.pk, since, asked.filter)
    return plural(count, "new entry", "new entries") if count else ""


def _page_beside(request: PortalRequest, found: queries.Page, place: int) -> str:
    """The address of the page before the first row, or after the last."""
    parameters = request.GET.copy()
    for name in ("after", "before"):
        parameters.pop(name, None)
    row = found.rows[place]
    parameters["before" if place == 0 else "after"] = cursor_text(row.occurred_at, row.sequence)
    return f"?{parameters.urlencode()}"


def _print_words(incident: Incident, asked: Asked) -> str:
    zone, wanted = incident.zone, asked.filter
    start = f" from {full_clock(wanted.start, zone)}" if wanted.start else ""
    end = f" to {full_clock(wanted.end, zone)}" if wanted.end else ""
    return f"{'Filtered timeline' if wanted.looks_inside or wanted.who else 'Timeline'} of entries{start}{end}."


@require_safe
def print_style(request: PortalRequest, reference: str) -> HttpResponse:
    """The foot of each printed page: a stylesheet of its own, since the policy allows no inline style."""
    incident = incident_for(actor_of(request), reference)
    context = {"said": f"{incident.reference} timeline, {incident.get_tlp_display()}"}
    return render(request, "room/timeline_print.css", context, content_type="text/css; charset=utf-8")

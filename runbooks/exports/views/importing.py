"""Importing entries of other tools: upload a file, say how it is to be read, look at what would be added, add it."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import Actor, require
from runbooks.access.reading_log import reader_of
from runbooks.attachments.models import Attachment
from runbooks.attachments.names import size_in_words
from runbooks.attachments.operations import note_download
from runbooks.attachments.queries import attachment_for
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.exports.importing.columns import LABELS, TOOLS, problems
from runbooks.exports.importing.lines import ALREADY, NEW, WRONG, Choices, Line
from runbooks.exports.importing.moments import Clockwork
from runbooks.exports.importing.opening import EntriesFile
from runbooks.exports.operations.importing import (
    BYTES_AT_MOST,
    Imported,
    import_entries,
    kept_file,
    lines_of,
    preview,
    stage_entries,
    suggested,
)
from runbooks.incidents.forms import known_zones
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import full_clock, number, plural
from runbooks.timeline.models import Lane, Precision
from runbooks.timeline.operations import now

# A request adds so many at most; the page then offers to go on.
AT_ONCE: Final = 5000
SAMPLED: Final = 20
TABS: Final = ((NEW, "To be added"), (ALREADY, "There already"), (WRONG, "Wrong"))
ZONES: Final = frozenset(name for name, _ in known_zones())
TWICE: Final = {"": "Refuse it and say so", "first": "The first", "second": "The second"}
DAY_ORDERS: Final = {"": "Refuse it and say so", "dmy": "Day, month, year", "mdy": "Month, day, year"}
ROUGHLY: Final[dict[str, str]] = {Precision.HOUR: "to the hour", Precision.DAY: "day only"}


class FileForm(forms.Form):
    file = forms.FileField(
        label="File of entries",
        allow_empty_file=True,
        help_text="CSV with a header row, plaso’s l2tcsv, or JSON Lines.",
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.jsonl,.ndjson,.json,text/csv,text/plain"}),
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """A line of the preview, in words."""

    number: int
    when: str
    rough: str
    lane: str
    summary: str
    reason: str


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "import_entries", incident.pk)
    form = FileForm(request.POST, request.FILES) if request.method == "POST" else FileForm()
    if form.is_bound and form.is_valid():
        try:
            kept = stage_entries(incident_id=incident.pk, upload=form.cleaned_data["file"], actor=actor, at=at)
        except (NotFoundError, NotAllowedError):
            raise
        except DomainError as error:
            form.add_error("file", str(error))
        else:
            return redirect("entries_import_file", incident.reference, kept.number)
    context = {**_page(incident, actor), "form": form, "most": size_in_words(BYTES_AT_MOST), "tools": TOOLS.values()}
    return render(request, "exports/import.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PortalRequest, reference: str, file_number: int) -> HttpResponse:
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    require(actor, "import_entries", incident.pk)
    attachment = attachment_for(incident.pk, file_number)
    if request.method == "POST":
        return _import(request, incident, attachment, actor)
    if attachment.adder_id != actor.user_id:
        # Whoever sees what stands in a file has read it.
        reader = reader_of(request)
        note_download(incident_id=incident.pk, attachment_id=attachment.pk, reader=reader, at=now())
        request.is_reading_noted = True
    try:
        with kept_file(incident.pk, file_number) as (file, kept):
            context = _preview(request.GET, incident, file, kept)
    except (NotFoundError, NotAllowedError):
        raise
    except DomainError as error:
        context = {"broken": str(error)}
    context |= {**_page(incident, actor), "file": attachment, "size": size_in_words(attachment.stored.size)}
    return render(request, "exports/import_preview.html", context)


def _import(request: PortalRequest, incident: Incident, attachment: Attachment, actor: Actor) -> HttpResponse:
    back = (
        f"{reverse('entries_import_file', args=[incident.reference, attachment.number])}?{_choices_only(request.POST)}"
    )
    try:
        with kept_file(incident.pk, attachment.number) as (file, _):
            choices = _choices(request.POST, file)
        done = import_entries(
            incident_id=incident.pk,
            file_number=attachment.number,
            choices=choices,
            source=request.POST.get("source", ""),
            actor=actor,
            clock=now,
            at_most=AT_ONCE,
        )
    except (NotFoundError, NotAllowedError):
        raise
    except DomainError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(back)
    messages.success(request, _done(done))
    if done.left or done.wrong:
        return HttpResponseRedirect(back)
    return redirect("timeline", incident.reference)


def _page(incident: Incident, actor: Actor) -> dict[str, Any]:
    return {"incident": incident, "actor": actor, "now": now(), "tab": "timeline"}


def _preview(query: QueryDict, incident: Incident, file: EntriesFile, kept: Attachment) -> dict[str, Any]:
    choices = _choices(query, file)
    wrong = problems(choices.columns)
    given = query.get("source", "")
    lines = lines_of(incident.pk, file, kept, choices, given, now())
    samples = _samples(file)
    context: dict[str, Any] = {
        "choices": choices,
        "problems": wrong,
        "source": lines.origin.source,
        "columns": [
            (place, name, " · ".join(samples.get(name, [])), choices.columns[name])
            for place, name in enumerate(file.columns)
        ],
        "fields": LABELS.items(),
        "tools": [(slug, tool.label) for slug, tool in TOOLS.items()],
        "tool_label": TOOLS[choices.tool].label,
        "zones": [incident.time_zone, *sorted(ZONES - {incident.time_zone})],
        "twice": TWICE.items(),
        "day_orders": DAY_ORDERS.items(),
        "lanes": [(Lane.NOTE, "Note"), (Lane.DETECTION, "Detection")],
        "hidden": _hidden(choices, file, lines.origin.source),
    }
    if wrong:
        return context
    verdict = query.get("show", "")
    place = whole_number(query.get("after")) or 0
    found = preview(lines, verdict=verdict if verdict in {NEW, ALREADY, WRONG} else NEW, after=place)
    if not verdict and not found.shown and found.wrong:
        verdict = WRONG
        found = preview(lines, verdict=WRONG, after=place)
    counts = {NEW: found.new, ALREADY: found.already, WRONG: found.wrong}
    return context | {
        "found": found,
        "show": verdict or NEW,
        "tabs": [(key, label, counts[key]) for key, label in TABS],
        "shown": [_shown(line, incident) for line in found.shown],
        "button": f"Add {plural(min(found.new, AT_ONCE), 'entry', 'entries')}",
        "at_once": AT_ONCE if found.new > AT_ONCE else 0,
    }


def _samples(file: EntriesFile) -> dict[str, list[str]]:
    """{column: what its first three values are}"""
    samples: dict[str, list[str]] = {}
    with closing(file.lines()) as lines:
        for line in islice(lines, SAMPLED):
            for name, value in line.fields.items():
                if len(held := samples.setdefault(name, [])) < 3:
                    held.append(" ".join(value[:60].split()))
    return samples


def _choices(given: Mapping[str, str], file: EntriesFile) -> Choices:
    """What the form says, on top of what the columns say by themselves; another tool begins anew."""
    by_itself = suggested(file, given.get("tool", ""))
    is_same = given.get("mapped", "") == by_itself.tool
    columns = {
        name: given.get(f"column-{place}", field) if is_same else field
        for place, (name, field) in enumerate(by_itself.columns.items())
    }
    zone, twice = given.get("zone", ""), given.get("twice", "")
    day_order = given.get("day_order") if is_same else None
    return Choices(
        tool=by_itself.tool,
        columns=columns,
        clockwork=Clockwork(
            zone=zone if zone in ZONES else "",
            twice=twice if twice in TWICE else "",
            day_order=TOOLS[by_itself.tool].day_order if day_order not in DAY_ORDERS else day_order or "",
        ),
        lane=Lane.DETECTION if given.get("lane") == Lane.DETECTION else Lane.NOTE,
    )


def _hidden(choices: Choices, file: EntriesFile, source: str) -> list[tuple[str, str]]:
    """The choices as fields of a form."""
    clockwork = choices.clockwork
    return [
        ("tool", choices.tool),
        ("mapped", choices.tool),
        ("source", source),
        ("zone", clockwork.zone),
        ("twice", clockwork.twice),
        ("day_order", clockwork.day_order),
        ("lane", choices.lane),
        *((f"column-{place}", choices.columns[name]) for place, name in enumerate(file.columns)),
    ]


def _choices_only(given: QueryDict) -> str:
    kept = QueryDict(mutable=True)
    for name, value in given.items():
        if name != "csrfmiddlewaretoken":
            kept[name] = str(value)
    return kept.urlencode()


def _shown(line: Line, incident: Incident) -> Shown:
    entry = line.entry
    if entry is None or entry.occurred_at is None:
        return Shown(line.number, "", "", "", line.summary, line.reason)
    when = full_clock(entry.occurred_at, incident.zone)
    return Shown(line.number, when, ROUGHLY.get(entry.precision, ""), entry.lane.label, line.summary, "")


def _done(done: Imported) -> str:
    said = [f"{plural(done.added, 'entry', 'entries')} added" if done.added else "Nothing was added"]
    if done.already:
        said.append(f"{number(done.already)} there already")
    if done.wrong:
        said.append(f"{number(done.wrong)} wrong")
    if done.left:
        said.append(f"{number(done.left)} still to be added")
    return f"{', '.join(said)}."

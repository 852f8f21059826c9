"""The exports of an incident, newest first, and the form that asks for one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import IN_INCIDENT, Actor, can
from runbooks.attachments.names import size_in_words
from runbooks.errors import DomainError
from runbooks.exports import keys
from runbooks.exports.formats import FORMATS
from runbooks.exports.formats.disclosure import DISCLOSURE
from runbooks.exports.models import Export
from runbooks.exports.operations.requesting import PURPOSE_MAX
from runbooks.exports.queries.asked import asked, in_words, narrowing
from runbooks.exports.queries.entries import Entries
from runbooks.exports.queries.list import OPEN, exports_of
from runbooks.exports.views.wishes import notices
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock, full_clock, in_groups, number, plural
from runbooks.timeline.operations import now

Status = Export.Status
TONES = {Status.FAILED: "bad", Status.CANCELLED: "", Status.WAITING: "wait", Status.RUNNING: "wait"}
ICONS = {Status.FAILED: "fail", Status.CANCELLED: "ban", Status.WAITING: "clock", Status.RUNNING: "clock"}


@dataclass(frozen=True, slots=True)
class Line:
    """An export in words. `hash` in groups of eight digits; `seal` is what stands for its file."""

    number: int
    name: str
    what: str
    range: str
    filter: str
    hash: list[str]
    size: str
    key: str
    by: str
    purpose: str
    when: str
    when_full: str
    status: str
    icon: str
    tone: str
    reason: str
    done: int
    entries: int
    downloads: str
    is_ready: bool
    is_open: bool
    may_cancel: bool
    may_retry: bool


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    """The query of the timeline page, where it leads here, is what the form asks for."""
    incident = incident_for(actor_of(request), reference)
    return show(request, incident, now())


@require_safe
def part(request: PortalRequest, reference: str) -> HttpResponse:
    """The list alone, which asks for itself while something is being made."""
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    request.is_reading_noted = True
    context = {"incident": incident, **_listed(incident, actor, request.GET, at)}
    return render(request, "exports/_list.html", context)


def show(
    request: PortalRequest,
    incident: Incident,
    at: datetime,
    given: Mapping[str, Any] | None = None,
    problem: str = "",
    *,
    status: int = 200,
) -> HttpResponse:
    """`given` is what was typed before it was refused, and `problem` why."""
    actor = actor_of(request)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "exports",
        "is_reader": actor.role not in IN_INCIDENT["add_entry"],
        "may_see_readings": can(actor, "view_access_log"),
        "problem": problem,
        **_listed(incident, actor, request.GET, at),
        **_form(incident, actor, request.GET, given, at),
    }
    return render(request, "exports/list.html", context, status=status)


def _listed(incident: Incident, actor: Actor, query: QueryDict, at: datetime) -> dict[str, Any]:
    before = whole_number(query.get("older"))
    found = exports_of(incident.pk, before=before)
    lines = [_line(one, incident, actor, at) for one in found.exports]
    said = notices(incident, actor, at)
    return {
        "lines": lines,
        "notices": said,
        "is_open": any(line.is_open for line in lines) or any(notice.is_open for notice in said),
        "total": found.total,
        "following": found.following,
        "older": before,
        "may_download": can(actor, "export_timeline"),
    }


def _line(export: Export, incident: Incident, actor: Actor, at: datetime) -> Line:
    status = Status(export.status)
    one = FORMATS.get(export.format)
    is_open, may = status in OPEN, can(actor, "control_export")
    is_own = export.requester_id == actor.user_id or actor.role in IN_INCIDENT["change_status"]
    times = getattr(export, "times", 0)
    return Line(
        number=export.number,
        name=str(export),
        what=one.label if one else export.format,
        range=f"#1 to #{number(export.head_sequence)}, {plural(export.entries, 'entry', 'entries')}",
        filter=f"{export.options.get('said', '')} ({number(export.left_out)} left out)" if export.filter else "",
        hash=in_groups(export.sha256),
        size=size_in_words(export.size) if export.size is not None else "",
        key=export.key.fingerprint if export.key else "",
        by=export.requested_by,
        purpose=export.purpose,
        when=clock(export.requested_at, incident.zone, at),
        when_full=full_clock(export.requested_at, incident.zone),
        status=status.label,
        icon=ICONS.get(status, ""),
        tone=TONES.get(status, ""),
        reason=export.reason,
        done=min(export.done, export.entries),
        entries=export.entries,
        downloads=plural(times, "download") if times else "",
        is_ready=status == Status.READY,
        is_open=is_open,
        may_cancel=is_open and may and is_own,
        may_retry=status in {Status.FAILED, Status.CANCELLED} and may,
    )


def _form(
    incident: Incident, actor: Actor, query: QueryDict, given: Mapping[str, Any] | None, at: datetime
) -> dict[str, Any]:
    """What the form shows: the formats, and how many entries the filter leaves."""
    if not can(actor, "export_timeline"):
        return {"formats": ()}
    narrowed = narrowing((given or {}).get("query", "") or query.urlencode())
    trouble = keys.problem()
    encoded = QueryDict(mutable=True)
    encoded.update(narrowed)
    return {
        "formats": FORMATS.values(),
        "previewed": DISCLOSURE.slug,
        "chosen": (given or {}).get("format") or ("bundle" if trouble is None else "xlsx"),
        "order": (given or {}).get("order", "sequence"),
        "without_bom": given is not None and not given.get("bom"),
        "purpose": (given or {}).get("purpose", ""),
        "purpose_max": PURPOSE_MAX,
        "trouble": trouble,
        "query": encoded.urlencode(),
        **_shown(incident, narrowed, at),
    }


def _shown(incident: Incident, narrowed: Mapping[str, str], at: datetime) -> dict[str, Any]:
    if not narrowed:
        return {"shown": incident.head_sequence, "words": ""}
    try:
        found = asked(incident, narrowed, at)
    except DomainError as error:
        return {"shown": 0, "words": "", "filter_problem": str(error)}
    entries = Entries(incident.pk, found.filter, incident.head_sequence)
    return {"shown": entries.count(), "words": in_words(incident, narrowed, found)}

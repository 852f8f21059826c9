"""The auditor's desk: the chain at a glance, the newest exports, how to check them elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.models import Role
from runbooks.access.permissions import can, require
from runbooks.exports.formats import FORMATS
from runbooks.exports.models import Checkpoint, Export
from runbooks.exports.operations.verifying import is_well_signed
from runbooks.exports.queries import seal
from runbooks.exports.queries.audit import counted
from runbooks.exports.queries.list import exports_of
from runbooks.exports.views.seal import key_box
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock, full_clock, in_groups, number, plural
from runbooks.timeline.operations import now

NEWEST: Final = 5
SEGMENTS: Final = 4


@dataclass(frozen=True, slots=True)
class Segment:
    """Entries under one checkpoint."""

    words: str
    when: str
    is_good: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """An export in words. `number` is that of one that can be fetched."""

    number: int | None
    name: str
    label: str
    about: str
    first: str
    rest: str
    tone: str
    icon: str
    seal: str
    key: str
    by: str
    purpose: str
    when: str
    full: str


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "view_seal", incident.pk)
    digest = incident.head_hash
    may_export = can(actor, "export_timeline")
    found = exports_of(incident.pk, limit=NEWEST) if may_export else None
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "exports",
        "is_auditor": actor.role == Role.AUDITOR,
        "may_export": may_export,
        "may_read_log": can(actor, "view_access_log"),
        "badge": seal.badge(incident, at),
        "counted": counted(incident),
        "head_first": digest[:8],
        "head_rest": " ".join(in_groups(digest[8:])),
        "exports": [_taken(one, incident, at) for one in found.exports] if found else [],
        "exports_total": found.total if found else 0,
        "bundle": _newest_bundle(found.exports if found else []),
        "signers": f"{settings.PORTAL_URL.rstrip('/')}{reverse('signers')}",
        **_signed(incident, at),
        **key_box(actor, incident),
    }
    return render(request, "exports/audit.html", context)


def _signed(incident: Incident, at: datetime) -> dict[str, Any]:
    """The newest segments, the oldest first; each checkpoint's signature is tried."""
    newest = seal.checkpoints_of(incident.pk)
    shown = newest[: SEGMENTS + 1]
    olders = [*shown[1:], None][: len(shown)]
    strip = [_segment(*both, incident, at) for both in zip(shown, olders, strict=True)][:SEGMENTS][::-1]
    return {
        "strip": strip,
        "unsigned": incident.head_sequence - (shown[0].sequence if shown else 0),
        "checkpoints": seal.figures(incident.pk).checkpoints,
    }


def _segment(one: Checkpoint, older: Checkpoint | None, incident: Incident, at: datetime) -> Segment:
    first = older.sequence + 1 if older is not None else 1
    said = f"#{number(first)} to #{number(one.sequence)}" if first < one.sequence else f"#{number(one.sequence)}"
    return Segment(said, clock(one.signed_at, incident.zone, at), is_well_signed(one))


def _taken(export: Export, incident: Incident, at: datetime) -> Taken:
    one = FORMATS.get(export.format)
    is_ready = export.status == Export.Status.READY
    about = f"{plural(export.entries, 'entry', 'entries')} to #{number(export.head_sequence)}"
    if export.left_out:
        about += f", {number(export.left_out)} left out by a filter"
    tone, icon, said = _seal_of(export)
    return Taken(
        number=export.number if is_ready else None,
        name=str(export),
        label=one.label if one else export.format,
        about=about if is_ready else export.reason or f"To #{number(export.head_sequence)}",
        first=export.sha256[:8],
        rest=" ".join(in_groups(export.sha256[8:])),
        tone=tone,
        icon=icon,
        seal=said,
        key=export.key.fingerprint[7:15] if export.key else "",
        by=export.requested_by,
        purpose=export.purpose,
        when=clock(export.requested_at, incident.zone, at),
        full=full_clock(export.requested_at, incident.zone),
    )


def _seal_of(export: Export) -> tuple[str, str, str]:
    if export.status == Export.Status.READY:
        return ("good", "shield", "Signed") if export.key else ("", "note", "Not signed")
    bad = export.status in (Export.Status.FAILED, Export.Status.CANCELLED)
    return ("bad" if bad else "wait", "fail" if bad else "clock", export.get_status_display())


def _newest_bundle(exports: Sequence[Export]) -> str:
    """The name of the newest evidence bundle at hand, for the commands."""
    names = [one.file_name for one in exports if one.file_name.endswith(".zip")]
    return names[0] if names else "BUNDLE.zip"

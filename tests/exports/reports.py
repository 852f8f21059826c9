"""Reports read back: their words, their structure, their fonts."""

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject

from runbooks.exports.formats.base import About, IncidentFacts, Source
from runbooks.exports.formats.report import write_report
from runbooks.exports.queries.entries import Entries
from runbooks.incidents.models import Incident
from runbooks.timeline.queries import Filter

MADE_AT = datetime(2026, 11, 20, 11, 40, tzinfo=UTC)


def source_of(incident: Incident, wanted: Filter | None = None, **options: Any) -> Source:
    incident.refresh_from_db()
    entries = Entries(incident.pk, wanted or Filter(), incident.head_sequence)
    facts = IncidentFacts(
        id=incident.pk,
        reference=incident.reference,
        title=incident.title,
        severity=incident.severity,
        severity_label=incident.get_severity_display(),
        tlp=incident.tlp,
        status=incident.status,
        status_label=incident.get_status_display(),
        is_exercise=incident.is_exercise,
        detected_at=incident.detected_at,
        declared_at=incident.declared_at,
        contained_at=incident.contained_at,
        closed_at=incident.closed_at,
        time_zone=incident.time_zone,
    )
    shown = entries.count()
    about = About(
        number="EX-01",
        incident=facts,
        filter={"lane": wanted.lane} if wanted else {},
        filter_words="decisions only" if wanted else "",
        order="sequence",
        entries=shown,
        left_out=incident.head_sequence - shown,
        head_sequence=incident.head_sequence,
        head_hash=incident.head_hash,
        exported_at=MADE_AT,
        exported_by="Records auditor",
        purpose="For the regulator",
    )
    return Source(about, entries, options)


def report_of(incident: Incident, wanted: Filter | None = None, **options: Any) -> PdfReader:
    out = io.BytesIO()
    write_report(out, source_of(incident, wanted, **options))
    return PdfReader(out)


def words(pdf: PdfReader) -> str:
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pdf.pages))


def elements(node: Any) -> Iterator[DictionaryObject]:
    """Every element of the structure, depth first."""
    node = node.get_object()
    if isinstance(node, ArrayObject):
        for child in node:
            yield from elements(child)
    elif isinstance(node, DictionaryObject):
        if "/S" in node:
            yield node
        yield from elements(node.get("/K", ArrayObject()))


def structure(pdf: PdfReader) -> list[DictionaryObject]:
    return list(elements(pdf.trailer["/Root"]["/StructTreeRoot"]["/K"]))


def headings(pdf: PdfReader) -> list[str]:
    """The bookmarks, those within others indented."""

    def walk(entries: list[Any], depth: int) -> Iterator[str]:
        for entry in entries:
            if isinstance(entry, list):
                yield from walk(entry, depth + 1)
            else:
                yield "  " * depth + str(entry.title)

    return list(walk(pdf.outline, 0))


def fonts(pdf: PdfReader) -> Iterator[DictionaryObject]:
    for page in pdf.pages:
        for entry in page["/Resources"]["/Font"].values():
            yield entry.get_object()

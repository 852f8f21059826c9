"""Reports of an incident as it is, read back."""

import io
from datetime import UTC, datetime
from typing import Any

from pypdf import PdfReader

from runbooks.exports.formats.base import Source
from runbooks.exports.formats.report import write_report
from runbooks.exports.models import Export
from runbooks.exports.operations.making import about_of
from runbooks.exports.queries.asked import narrowing
from runbooks.incidents.models import Incident

MADE_AT = datetime(2026, 11, 20, 11, 40, tzinfo=UTC)


def source_of(incident: Incident, query: str = "", **options: Any) -> Source:
    """What a report is written from; `query` is the timeline page's. Without a row or an entry."""
    incident.refresh_from_db()
    export = Export(
        incident=incident,
        number=1,
        filter=narrowing(query),
        options=options,
        requested_at=MADE_AT,
        requested_by="Records auditor",
        purpose="For the regulator",
        head_sequence=incident.head_sequence,
        head_hash=incident.head_hash,
    )
    return Source(*about_of(export, incident), options=export.options)


def report_of(incident: Incident, query: str = "", **options: Any) -> PdfReader:
    out = io.BytesIO()
    write_report(out, source_of(incident, query, **options))
    return PdfReader(out)

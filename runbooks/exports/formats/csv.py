"""CSV: UTF-8, CRLF, every text in quotation marks and safe from being calculated (cells.py).

The lines are put together in the database. The last one is no entry: it has no number, its kind is `export.about`, and
it says what the export is and how many entries its filter left out.
"""

from collections.abc import Mapping, Sequence
from typing import BinaryIO, Final

from runbooks.exports.formats.base import Format, Source
from runbooks.exports.formats.cells import cell, cell_sql
from runbooks.exports.queries.entries import (
    LOGINS_TEXT,
    OCCURRED,
    OCCURRED_LOCAL,
    RECORDED,
    RECORDED_LOCAL,
    REDACTED_BY,
)
from runbooks.timeline.seal import instant

ABOUT: Final = "export.about"
BOM: Final = b"\xef\xbb\xbf"
# {column: what makes its cell, with quotation marks where it may be anything}
COLUMNS: Final[Mapping[str, str]] = {
    "sequence": "event.sequence",
    "occurred_at": OCCURRED,
    "occurred_at_local": OCCURRED_LOCAL,
    "occurred_precision": "event.occurred_precision",
    "recorded_at": RECORDED,
    "recorded_at_local": RECORDED_LOCAL,
    "kind": cell_sql("event.kind"),
    "lane": "event.lane",
    "summary": cell_sql("event.summary"),
    "actor": cell_sql("event.actor"),
    "automated": "CASE WHEN event.is_automated THEN 'true' ELSE 'false' END",
    "step": cell_sql("step.number"),
    "accounts": cell_sql(f"({LOGINS_TEXT})"),
    "corrects": "event.corrects",
    "corrected_by": "correction.sequence",
    "redacted_by": REDACTED_BY,
    "key_event": "CASE WHEN pin.event_id IS NULL THEN 'false' ELSE 'true' END",
    "run": "event.burst",
    "hash": "event.hash",
    "details": "CASE WHEN event.details <> '{}' THEN concat(" + cell_sql("event.details::text") + ") END",
}
LINE: Final = "concat(" + ", ',', ".join(COLUMNS.values()) + r", E'\r\n')"


def write(out: BinaryIO, source: Source) -> None:
    if source.options.get("bom", True):
        out.write(BOM)
    out.write(",".join(COLUMNS).encode() + b"\r\n")
    for part in source.lines(LINE):
        out.write(b"".join(part))
    about = source.about
    said = {
        "occurred_at": instant(about.exported_at),
        "kind": ABOUT,
        "summary": about.sentence,
        "actor": about.exported_by,
    }
    out.write(line([said.get(name, "") for name in COLUMNS]))


def line(cells: Sequence[str]) -> bytes:
    """A line of texts, as the others are."""
    return ",".join(cell(text) if text else "" for text in cells).encode() + b"\r\n"


CSV = Format(
    slug="csv",
    label="CSV",
    purpose="For spreadsheets and lists. No cell calculates; texts that could have carry an apostrophe.",
    suffix=".csv",
    media_type="text/csv; charset=utf-8",
    write=write,
    options={"bom": "Mark it as UTF-8 (Excel needs it to show accents)"},
)

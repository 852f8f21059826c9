"""CSV: UTF-8, CRLF, every text in quotation marks and safe from being calculated (cells.py).

The lines are put together in the database. The last one is no entry: it has no number, its kind is `export.about`, and
it says what the export is and how many entries its filter left out.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, Final

from runbooks.exports.formats.base import Format, Source
from runbooks.exports.formats.cells import cell, cell_sql, quoted_sql, suspect_sql
from runbooks.exports.queries.entries import (
    CORRECTED_BY,
    IS_PINNED,
    LOGINS_TEXT,
    OCCURRED,
    OCCURRED_LOCAL,
    RECORDED,
    RECORDED_LOCAL,
    REDACTED_BY,
    STEP,
)
from runbooks.timeline.seal import instant

ABOUT: Final = "export.about"
BOM: Final = b"\xef\xbb\xbf"
# {column: what makes its cell}
FIXED: Final[Mapping[str, str]] = {
    "sequence": "event.sequence",
    "occurred_at": OCCURRED,
    "occurred_at_local": OCCURRED_LOCAL,
    "occurred_precision": "event.occurred_precision",
    "recorded_at": RECORDED,
    "recorded_at_local": RECORDED_LOCAL,
    "lane": "event.lane",
    "automated": "CASE WHEN event.is_automated THEN 'true' ELSE 'false' END",
    "corrects": "event.corrects",
    "corrected_by": CORRECTED_BY,
    "redacted_by": REDACTED_BY,
    "key_event": f"CASE WHEN {IS_PINNED} THEN 'true' ELSE 'false' END",
    "run": "event.burst",
    "hash": "event.hash",
}
# {column: text that may be anything}
TEXTS: Final[Mapping[str, str]] = {
    "kind": "event.kind",
    "summary": "event.summary",
    "actor": "event.actor",
    "step": f"({STEP})",
    "accounts": f"({LOGINS_TEXT})",
    "details": "CASE WHEN event.details <> '{}' THEN event.details::text END",
}
COLUMNS: Final = (
    "sequence", "occurred_at", "occurred_at_local", "occurred_precision", "recorded_at", "recorded_at_local", "kind",
    "lane", "summary", "actor", "automated", "step", "accounts", "corrects", "corrected_by", "redacted_by", "key_event",
    "run", "hash", "details",
)  # fmt: skip


def _line_of(text_cell: Callable[[str], str]) -> str:
    cells = [FIXED[name] if name in FIXED else text_cell(TEXTS[name]) for name in COLUMNS]
    return "concat(" + ", ',', ".join(cells) + r", E'\r\n')"


# Most lines hold nothing that is to be guarded: all their texts are looked through at once, with commas between.
LINE: Final = f"""CASE WHEN {suspect_sql(f"concat_ws(',', {', '.join(TEXTS.values())})")}
THEN {_line_of(cell_sql)} ELSE {_line_of(quoted_sql)} END"""


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

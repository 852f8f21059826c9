"""XLSX: sheets of entries, and one that says what the export is. Each row goes to disk, so any number of them fits.

Times are real ones, in the incident's zone, beside the exact ones in UTC. Every text is written as text; one that would
become a formula if somebody edited its cell is marked as quoted, which shows nothing.
"""

import re
import shutil
import tempfile
from datetime import datetime
from typing import Any, BinaryIO, Final

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format as Look
from xlsxwriter.worksheet import Worksheet

from runbooks.exports.formats.base import Format, Source
from runbooks.exports.formats.cells import OPERATORS
from runbooks.timeline.seal import instant

# Excel's limits: rows of a sheet, characters of a cell, the first year it knows.
ROWS_MAX: Final = 1_048_576
CELL_MAX: Final = 32_767
FIRST_YEAR: Final = 1900
CUT: Final = " ... (cut: the JSON export has all of it)"
DANGEROUS: Final = re.compile(rf"[\s{OPERATORS}]")
OPTIONS: Final = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "use_zip64": True,
}
# Headings, with the width of the column in characters.
COLUMNS: Final = (
    ("No.", 8), ("Occurred", 18), ("Known to the", 12), ("Recorded", 18), ("Lane", 11), ("Kind", 22), ("Summary", 70),
    ("By", 24), ("Automated", 10), ("Step", 7), ("Accounts", 32), ("Corrects", 9), ("Corrected by", 12),
    ("Taken out by", 12), ("Key event", 10), ("Run from", 9), ("Occurred, UTC", 28), ("Recorded, UTC", 28),
    ("Details", 50), ("Hash", 66),
)  # fmt: skip
ABOUT: Final = "About this export"


class _Sheets:
    """Sheets of entries, a further one where one is full."""

    def __init__(self, book: Workbook, rows_max: int) -> None:
        self._book, self._rows_max = book, rows_max
        self._sheets = 0
        self._row = rows_max
        self._sheet: Worksheet
        self._head = book.add_format({"bold": True, "bottom": 1})
        self._time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})
        self._quoted = book.add_format({"quote_prefix": True})

    def begin(self) -> None:
        self._sheets += 1
        self._sheet = self._book.add_worksheet("Entries" if self._sheets == 1 else f"Entries {self._sheets}")
        self._sheet.freeze_panes(1, 1)
        for column, (heading, width) in enumerate(COLUMNS):
            self._sheet.set_column(column, column, width)
            self._sheet.write_string(0, column, heading, self._head)
        self._row = 1

    def add(self, values: tuple[object, ...]) -> None:
        if self._row == self._rows_max:
            self.begin()
        for column, value in enumerate(values):
            self._put(column, value)
        self._row += 1

    def _put(self, column: int, value: object) -> None:
        sheet, row = self._sheet, self._row
        if value is None or value == "":
            return
        if isinstance(value, datetime) and value.year >= FIRST_YEAR:
            sheet.write_datetime(row, column, value.replace(tzinfo=None), self._time)
        elif isinstance(value, int):
            sheet.write_number(row, column, value)
        else:
            put_text(sheet, row, column, str(value), self._quoted)


def put_text(sheet: Worksheet, row: int, column: int, text: str, quoted: Look) -> None:
    # A carriage return in a cell shows as its code in some programs; the other formats have it.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > CELL_MAX:
        text = text[: CELL_MAX - len(CUT)] + CUT
    if DANGEROUS.match(text):
        sheet.write_string(row, column, text, quoted)
    else:
        sheet.write_string(row, column, text)


def write(out: BinaryIO, source: Source) -> None:
    write_sheets(out, source, ROWS_MAX)


def write_sheets(out: BinaryIO, source: Source, rows_max: int) -> None:
    """`rows_max` rows a sheet, the heading included. The library packs it at the end, into a file of its own."""
    with tempfile.TemporaryFile() as packed:
        try:
            _write_book(Workbook(packed, OPTIONS), source, rows_max)
        except FileCreateError as error:
            raise OSError(str(error)) from error
        packed.seek(0)
        shutil.copyfileobj(packed, out)


def _write_book(book: Workbook, source: Source, rows_max: int) -> None:
    about = source.about
    book.set_properties(
        {
            "title": f"{about.incident.reference} timeline, {about.number}",
            "author": about.exported_by,
            "comments": f"TLP:{about.incident.tlp}",
            "created": about.exported_at.replace(tzinfo=None),
        }
    )
    sheets = _Sheets(book, rows_max)
    sheets.begin()
    for entry in source.each():
        sheets.add(_row(entry))
    _write_about(book, source)
    book.close()


def _row(entry: dict[str, Any]) -> tuple[object, ...]:
    return (
        entry["sequence"],
        datetime.fromisoformat(entry["occurred_at_local"]),
        entry["occurred_precision"],
        datetime.fromisoformat(entry["recorded_at_local"]),
        entry["lane"],
        entry["kind"],
        entry["summary"],
        entry["actor"],
        "yes" if entry["automated"] else "",
        entry["step"],
        ", ".join(entry["accounts"]),
        entry["corrects"],
        entry["corrected_by"],
        entry["redacted_by"],
        "yes" if entry["key_event"] else "",
        entry["run"],
        entry["occurred_at"],
        entry["recorded_at"],
        _text_of(entry["details"]),
        entry["hash"],
    )


def _text_of(details: dict[str, Any] | None) -> str:
    """Names and values, a line each: for reading. The other formats have it for programs."""
    return "\n".join(f"{name}: {value}" for name, value in (details or {}).items())


def _write_about(book: Workbook, source: Source) -> None:
    about, incident = source.about, source.about.incident
    sheet = book.add_worksheet(ABOUT)
    bold, quoted = book.add_format({"bold": True}), book.add_format({"quote_prefix": True})
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 90)
    said = (
        ("Export", about.number),
        ("Incident", f"{incident.reference} {incident.title}"),
        ("Sharing", f"TLP:{incident.tlp}"),
        ("Filter", about.filter_words),
        ("Entries", str(about.entries)),
        ("Left out", f"{about.left_out} of {about.head_sequence}"),
        ("Up to entry", f"#{about.head_sequence}"),
        ("Its hash", about.head_hash),
        ("Times", f"{incident.time_zone}, and UTC where a heading says so"),
        ("Exported", instant(about.exported_at)),
        ("Exported by", about.exported_by),
        ("Purpose", about.purpose),
    )
    for row, (name, text) in enumerate(said):
        sheet.write_string(row, 0, name, bold)
        put_text(sheet, row, 1, text, quoted)


XLSX = Format(
    slug="xlsx",
    label="Excel",
    purpose="To read, sort and print: real times in the incident’s zone, and a sheet that says what it is.",
    suffix=".xlsx",
    media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    write=write,
)

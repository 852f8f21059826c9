"""XLSX, read back: texts are texts, times are times, and a full sheet goes on in the next."""

import io
from datetime import datetime
from functools import reduce
from typing import Any

import pytest
from openpyxl import load_workbook

from runbooks.exports.formats import Source, xlsx
from runbooks.exports.models import Export
from runbooks.exports.operations.making import about_of
from runbooks.exports.queries.entries import snapshot
from runbooks.incidents.models import Incident
from tests.exports.exporting import AT, HOSTILE, hostile, written
from tests.factories import make_entry, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident(db: None) -> Incident:
    return make_incident(time_zone="Europe/London")


def read(raw: bytes) -> Any:
    return load_workbook(io.BytesIO(raw))


def test_texts_are_texts_and_none_is_a_formula(incident: Incident) -> None:
    hostile(incident)
    sheet = read(written(incident, "xlsx"))["Entries"]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}
    column = [cell.value for cell in sheet[1]].index("Summary") + 1
    found = [sheet.cell(row, column).value for row in range(2, len(HOSTILE) + 2)]
    # What XML cannot hold is written as Office does.
    coded = {"\r\n": "\n", "_x0041_": "_x005F_x0041_", "\x01": "_x0001_", "\x1f": "_x001F_"}
    assert found == [reduce(lambda said, pair: said.replace(*pair), coded.items(), text.strip()) for text in HOSTILE]
    assert sheet.cell(2, column).quotePrefix
    assert not sheet.cell(12, column).quotePrefix


def test_times_are_of_the_zone_of_the_incident(incident: Incident) -> None:
    make_entry(incident, "x", occurred_at=AT)
    sheet = read(written(incident, "xlsx"))["Entries"]
    assert sheet["B2"].value.replace(microsecond=0) == datetime(2026, 6, 24, 11, 30, 5)  # noqa: DTZ001
    assert sheet["Q2"].value == "2026-06-24T10:30:05.123450Z"


def test_the_heading_stays_and_a_sheet_says_what_it_is(incident: Incident) -> None:
    make_entry(incident, "needle")
    make_entry(incident, "straw")
    book = read(written(incident, "xlsx", query="q=needle"))
    assert book["Entries"].freeze_panes == "B2"
    about = {name.value: text.value for name, text in book["About this export"].iter_rows()}
    assert (about["Filter"], about["Left out"], about["Export"]) == ("text “needle”", "1 of 2", "EX-03")
    assert about["Its hash"] == incident.head_hash


def test_a_text_longer_than_a_cell_is_cut_and_says_so(incident: Incident) -> None:
    make_entry(incident, "x", details={"log": "y" * 40_000})
    sheet = read(written(incident, "xlsx"))["Entries"]
    assert len(sheet["S2"].value) == xlsx.CELL_MAX
    assert sheet["S2"].value.endswith("the JSON export has all of it)")


def test_a_full_sheet_goes_on_in_the_next(incident: Incident) -> None:
    for number in range(7):
        make_entry(incident, f"Entry {number}")
    incident.refresh_from_db()
    export = Export(incident=incident, number=1, requested_by="x", requested_at=AT,
                    head_sequence=incident.head_sequence, head_hash=incident.head_hash)  # fmt: skip
    out = io.BytesIO()
    with snapshot(incident.time_zone):
        xlsx.write_sheets(out, Source(*about_of(export, incident)), 4)
    book = read(out.getvalue())
    assert book.sheetnames == ["Entries", "Entries 2", "Entries 3", "About this export"]
    assert [book[name].max_row for name in book.sheetnames[:3]] == [4, 4, 2]
    assert book["Entries 3"]["A2"].value == 7

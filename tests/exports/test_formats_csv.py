"""CSV: no cell calculates in any program, and every text comes back."""

import csv
import io
import json
import random
import re

import pytest

from runbooks.exports.formats.cells import OPERATORS, guard, unguard
from runbooks.incidents.models import Incident
from tests.exports.exporting import AT, HOSTILE, hostile, peopled, redacted_entry, written
from tests.factories import make_entry, make_incident

pytestmark = pytest.mark.django_db
MARKS = "a0'=+-@\t\r\n,;| \"＝"


@pytest.fixture
def incident(db: None) -> Incident:
    return make_incident(time_zone="Europe/London")


def rows(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet could take it for one, as OWASP lists what they begin with; a plain number is none."""
    begins = cell.lstrip(' "')
    return bool(begins) and begins[0] in f"{OPERATORS}\t\r\n" and not re.fullmatch(r"-?\d+", begins)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_NONE])
def test_no_cell_is_a_formula_whatever_separates_them(incident: Incident, separator: str, quoting: int) -> None:
    hostile(incident)
    peopled(incident)
    text = written(incident, "csv").decode("utf-8-sig")
    for line in text.splitlines() if quoting == csv.QUOTE_NONE else [text]:
        read = csv.reader(io.StringIO(line, newline=""), delimiter=separator, quoting=quoting)
        assert [cell for row in read for cell in row if is_formula(cell)] == []


def test_every_text_comes_back(incident: Incident) -> None:
    hostile(incident)
    found = rows(written(incident, "csv"))
    assert [unguard(row["summary"]) for row in found[:-1]] == [text.strip() for text in HOSTILE]
    assert [json.loads(unguard(row["details"]))["text"] for row in found[:-1]] == list(HOSTILE)


def test_database_and_python_guard_alike(incident: Incident) -> None:
    chance = random.Random(5)
    texts = ["".join(chance.choices(MARKS, k=chance.randrange(1, 12))).strip() or "-" for _ in range(400)]
    for text in texts:
        make_entry(incident, text)
    found = rows(written(incident, "csv"))
    assert [row["summary"] for row in found[:-1]] == [guard(text) for text in texts]


def test_a_guarded_text_is_given_back_whatever_it_is() -> None:
    chance = random.Random(7)
    for _ in range(20_000):
        text = "".join(chance.choices(MARKS, k=chance.randrange(10)))
        assert unguard(guard(text)) == text
        assert not is_formula(guard(text))


def test_lines_end_as_the_standard_says_and_the_mark_is_by_choice(incident: Incident) -> None:
    make_entry(incident, "Zoë")
    raw = written(incident, "csv")
    assert raw.startswith(b"\xef\xbb\xbfsequence,occurred_at,")
    assert raw.count(b"\r\n") == raw.count(b"\n") == 3
    assert written(incident, "csv", bom=False) == raw[3:]


def test_times_are_in_utc_and_of_the_incident(incident: Incident) -> None:
    make_entry(incident, "x", occurred_at=AT)
    row = rows(written(incident, "csv"))[0]
    assert row["occurred_at"] == "2026-06-24T10:30:05.123450Z"
    assert row["occurred_at_local"] == "2026-06-24T11:30:05.12345+01:00"


def test_what_was_taken_out_leaves_its_number(incident: Incident) -> None:
    event = redacted_entry(incident)
    row = rows(written(incident, "csv"))[event.sequence - 1]
    assert (row["summary"], row["details"], row["redacted_by"]) == ("", "", str(event.sequence + 1))
    assert row["hash"] == event.hash


def test_accounts_steps_corrections_and_runs_are_named(incident: Incident) -> None:
    peopled(incident)
    found = rows(written(incident, "csv"))
    assert unguard(found[0]["accounts"]).startswith("=cmd@parliament.example, person")
    assert (found[0]["corrected_by"], found[1]["corrects"]) == ("2", "1")
    assert (found[2]["step"], found[2]["occurred_precision"]) == ("3.2", "day")
    assert [row["run"] for row in found[3:6]] == ["4", "4", "4"]
    assert [row["automated"] for row in found[2:4]] == ["false", "true"]


def test_the_last_line_is_no_entry_and_says_what_the_file_is(incident: Incident) -> None:
    make_entry(incident, "needle")
    make_entry(incident, "straw")
    last = rows(written(incident, "csv", query="q=needle"))[-1]
    assert (last["sequence"], last["kind"]) == ("", "export.about")
    assert "1 entry of #1 to #2, 1 entry left out by the filter: text “needle”" in last["summary"]

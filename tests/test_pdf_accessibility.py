"""Every PDF that leaves the portal, held against the rules of PDF/UA-1 and PDF/A-2a by a validator.

The standards themselves are what veraPDF checks too; the validator is a wheel, so that it runs wherever the tests do.
"""

import io
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject

from runbooks.access.permissions import COMMAND_LINE
from runbooks.affected_accounts.models import ContactAttempt
from runbooks.affected_accounts.operations.add_accounts import add_accounts
from runbooks.confirmations.letters import make_envelope_list
from runbooks.containment.models import Evidence
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.room.operations.entries import correct_entry
from runbooks.timeline.operations import Entry, record
from runbooks.typesetting.process import ROOT
from tests.confirmations.letters import MADE_AT as PRINTED_AT
from tests.confirmations.letters import SENDER, letter, made
from tests.exports.reports import MADE_AT, report_of
from tests.factories import make_account, make_action, make_incident, make_step
from tests.pdf import elements, faults, read

AT = MADE_AT - timedelta(hours=2)


@pytest.fixture
def eventful(db: None) -> Incident:
    """An incident with something in every table of its report."""
    incident = make_incident(declared_at=AT - timedelta(hours=3), title="Guessed passwords", is_exercise=True)
    people = [make_account(login=f"holder{number}@parliament.example") for number in range(30)]
    rows = add_accounts(
        incident_id=incident.pk, account_ids=[one.pk for one in people], tier="A", source="list.txt",
        actor=COMMAND_LINE, at=AT,
    ).rows  # fmt: skip
    step = make_step(incident, title="Preserve the logs", status="succeeded", closed_at=AT, closed_by="Forensics")
    Evidence.objects.create(step=step, kind="note", note="Copied to the vault", added_by="Forensics", added_at=AT)
    make_action(incident, rows[0], reason="They got in", drafted_by="Identity team")
    ContactAttempt.objects.create(
        affected_account=rows[0], channel="phone", outcome="no_answer", at=AT, made_by="Desk", recorded_at=AT
    )
    with transaction.atomic():
        for number in range(60):
            entry = record(
                lock(incident.pk), Entry("entry.added", f"Entry {number}, “é” ≥ 3"), actor=COMMAND_LINE, at=AT
            )
    correct_entry(
        incident_id=incident.pk, sequence=entry.sequence, summary="Fourteen networks", occurred_at=AT,
        precision="second", reason="Counted again", actor=COMMAND_LINE, at=AT,
    )  # fmt: skip
    return incident


def envelopes(count: int) -> PdfReader:
    listed = [letter(number) for number in range(1, count + 1)]
    return read(make_envelope_list(listed, run=3, incident="IR-2017-003", sender=SENDER, made_at=PRINTED_AT))


LETTERS: dict[str, Callable[[], PdfReader]] = {
    "letters": lambda: made(letter(1), letter(2, name="#panic() “山”", office="")),
    "letters in both languages": lambda: made(letter(1, language="cy"), letter(2)),
    "letters in Welsh": lambda: made(letter(1, language="cy")),
    "a list of envelopes": lambda: envelopes(1),
    "a list of many envelopes": lambda: envelopes(120),
}


@pytest.mark.parametrize("name", LETTERS)
def test_a_validator_finds_no_fault_with(name: str) -> None:
    assert faults(LETTERS[name]()) == []


@pytest.mark.parametrize("query", ["", "lane=decision"])
def test_a_validator_finds_no_fault_with_a_report(eventful: Incident, query: str) -> None:
    assert faults(report_of(eventful, query)) == []


@pytest.mark.django_db
def test_a_validator_finds_no_fault_with_a_report_of_nothing() -> None:
    assert faults(report_of(make_incident())) == []


def test_no_template_is_left_out() -> None:
    """A template that sets a document is one of these; whoever adds another holds it against the standards above."""
    setting = [path for path in ROOT.rglob("*.typ") if "set document(" in path.read_text(encoding="utf-8")]
    assert sorted(path.name for path in setting) == ["envelopes.typ", "letter.typ", "report.typ"]


# The check finds what it is there to find


@pytest.fixture(scope="module")
def whole() -> bytes:
    return bytes(made(letter()).stream.getbuffer())


def without_language(pdf: PdfWriter) -> None:
    del pdf.root_object["/Lang"]


def without_mark(pdf: PdfWriter) -> None:
    del pdf.root_object["/MarkInfo"]


def without_structure(pdf: PdfWriter) -> None:
    del pdf.root_object["/StructTreeRoot"]


def without_words_for_a_figure(pdf: PdfWriter) -> None:
    for element in of_kind(pdf, "/Figure"):
        del element["/Alt"]


def with_a_gap_in_headings(pdf: PdfWriter) -> None:
    for element in of_kind(pdf, "/H2"):
        element[NameObject("/S")] = NameObject("/H3")


def without_a_title_on_top(pdf: PdfWriter) -> None:
    del pdf.root_object["/ViewerPreferences"]


def without_metadata(pdf: PdfWriter) -> None:
    del pdf.root_object["/Metadata"]


def without_fonts(pdf: PdfWriter) -> None:
    for one in pdf.pages[0]["/Resources"]["/Font"].values():
        descriptor = one["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
        for name in {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor):
            del descriptor[name]


def of_kind(pdf: PdfWriter, kind: str) -> list[DictionaryObject]:
    return [element for element in elements(pdf.root_object["/StructTreeRoot"]["/K"]) if element["/S"] == kind]


@pytest.mark.parametrize(
    "spoil",
    [
        without_language, without_mark, without_structure, without_words_for_a_figure, with_a_gap_in_headings,
        without_a_title_on_top, without_metadata, without_fonts,
    ],
)  # fmt: skip
def test_what_is_taken_away_is_found(whole: bytes, spoil: Callable[[PdfWriter], None]) -> None:
    assert set(faults(written_anew(whole, spoil))) - set(faults(written_anew(whole, lambda pdf: None)))


def written_anew(raw: bytes, change: Callable[[PdfWriter], object]) -> PdfReader:
    pdf, out = PdfWriter(clone_from=read(raw)), io.BytesIO()
    change(pdf)
    pdf.write(out)
    return read(out.getvalue())


def test_a_wrong_length_of_a_stream_is_found(whole: bytes) -> None:
    first = re.search(rb"/Length (\d+)", whole)
    assert first is not None
    wrong = b"%0*d" % (len(first[1]), int(first[1]) - 3)
    assert any("length" in fault for fault in faults(read(whole[: first.start(1)] + wrong + whole[first.end(1) :])))

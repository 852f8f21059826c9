"""The PDF report: what stands in it, that anybody's software can read it, and that no text breaks it."""

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from pypdf import PdfReader

from runbooks.access.permissions import COMMAND_LINE, PORTAL
from runbooks.affected_accounts.models import ContactAttempt, State
from runbooks.affected_accounts.operations.add_accounts import add_accounts
from runbooks.affected_accounts.operations.change_state import change_state
from runbooks.containment.models import Evidence
from runbooks.exports.formats.report import making
from runbooks.incidents.models import Incident
from runbooks.room.operations.entries import correct_entry
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record, record_many
from runbooks.typesetting import SettingError, process
from tests.exports.reports import MADE_AT, report_of, source_of
from tests.factories import make_account, make_action, make_incident, make_step
from tests.pdf import elements, fonts, headings, structure, words

AT = MADE_AT - timedelta(hours=2)
HOSTILE = [
    "#panic()",
    '#import "/typesetting/setting.py": *',
    "$ sum_(k=1)^n k $",
    "@label <label>",
    "back\\slash \\u{41} \\n",
    "*bold* _slanted_ `raw` // comment /* more */",
    '"quoted" [of] {people} %s {0}',
    "= heading - item + item",
    "<script>alert(1)</script>",
]


def add(incident: Incident, *said: str, lane: Lane = Lane.NOTE, **details: Any) -> None:
    with transaction.atomic():
        locked = Incident.objects.select_for_update().get(pk=incident.pk)
        for words_ in said:
            record(locked, Entry("entry.added", words_, lane, details), actor=COMMAND_LINE, at=AT)


@pytest.fixture
def incident(db: None) -> Incident:
    return make_incident(declared_at=AT - timedelta(hours=3), title="Guessed passwords", is_exercise=True, tlp="AMBER")


def confirmed(incident: Incident, *names: str) -> list[int]:
    """Accounts on the list that were confirmed, as the operations do it."""
    people = [make_account(login=f"{name.lower()}@parliament.example", display_name=f"{name}, Ana") for name in names]
    added = add_accounts(
        incident_id=incident.pk,
        account_ids=[one.pk for one in people],
        tier="A",
        source="list.txt",
        actor=COMMAND_LINE,
        at=AT,
    )
    return [row.pk for row in added.rows]


def test_the_cover_says_what_it_is_and_how_it_can_be_recognised(incident: Incident) -> None:
    add(incident, "Something was noticed", "Somebody was told")
    pdf = report_of(incident)
    incident.refresh_from_db()
    said = re.sub(r"\s+", " ", pdf.pages[0].extract_text())
    head = incident.head_hash
    grouped = " ".join(head[start : start + 4] for start in range(0, 16, 4))
    for expected in (
        "TLP:AMBER",
        "Exercise. Nothing of this happened in fact.",
        f"Incident report, {incident.reference}",
        "Guessed passwords",
        "EX-01",
        "Fri 20 Nov 2026 11:40 GMT, 2026-11-20 11:40:00Z",
        "Records auditor",
        "For the regulator",
        "2 entries of #1 to #2",
        "None: the whole timeline",
        grouped,
        "No key",
    ):
        assert expected in said
    assert grouped in pdf.pages[-1].extract_text()


def test_every_page_but_the_first_says_whose_it_is_and_how_it_may_be_shared(incident: Incident) -> None:
    pdf = report_of(incident)
    total = len(pdf.pages)
    for number, page in enumerate(pdf.pages, start=1):
        said = page.extract_text()
        assert f"Page {number} of {total}" in said
        if number > 1:
            assert f"{incident.reference} · EXERCISE" in said
            assert "TLP:AMBER" in said


def test_it_is_tagged_titled_and_in_english(incident: Incident) -> None:
    confirmed(incident, "Birkmere")
    pdf = report_of(incident)
    root = pdf.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en-GB"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert pdf.metadata is not None
    assert pdf.metadata.title == f"{incident.reference}: Guessed passwords"
    about = root["/Metadata"].get_object().get_data().decode()
    assert re.search(r"pdfaid:part[>=\"]+2", about)
    assert re.search(r"pdfaid:conformance[>=\"]+A", about)
    assert re.search(r"pdfuaid:part[>=\"]+1", about)


def test_tables_have_headings_of_their_columns_and_drawings_have_words(incident: Incident) -> None:
    confirmed(incident, "Birkmere")
    found = structure(report_of(incident))
    tables = [element for element in found if element["/S"] == "/Table"]
    assert len(tables) >= 5
    for table in tables:
        assert "/TH" in [element["/S"] for element in elements(table)]
    figures = [str(element.get("/Alt", "")) for element in found if element["/S"] == "/Figure"]
    assert [alt.partition(":")[0] for alt in figures] == [
        "QR code of the chain head",
        "Bar of 1 accounts by state",
        "Chart over time",
    ]


def test_the_bookmarks_lead_to_every_part(incident: Incident) -> None:
    add(incident, "Something was noticed")
    assert headings(report_of(incident)) == [
        "Summary", "  Figures", "  Clocks", "Decisions", "Steps and their evidence", "Accounts",
        "Actions", "Approvals", "Contacts with holders", "Corrections", "Redactions", "Timeline", "  Entry #1",
        "How to check this report",
    ]  # fmt: skip


def test_fonts_are_inside(incident: Incident) -> None:
    for font in fonts(report_of(incident)):
        inner = font["/DescendantFonts"][0].get_object()
        assert "SourceSans3" in inner["/BaseFont"]
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(inner["/FontDescriptor"])


def test_an_entry_stands_with_its_number_both_times_its_author_and_digits(incident: Incident) -> None:
    add(incident, "The gateway was seen to be slow")
    said = words(report_of(incident))
    event = incident.events.get(summary="The gateway was seen to be slow")
    assert f"#{event.sequence} {event.hash[:8]}" in said
    assert "Fri 20 Nov 09:40:00 GMT 2026-11-20 09:40:00Z" in said
    assert "The gateway was seen to be slow Command line; Note" in said


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_people_wrote_is_printed_as_it_stands(incident: Incident, hostile: str) -> None:
    make_step(incident, title=hostile)
    add(incident, hostile, lane=Lane.DECISION)
    Incident.objects.filter(pk=incident.pk).update(title=hostile)
    pdf = report_of(incident)
    assert words(pdf).count(hostile) >= 4
    assert [page.get("/Annots") for page in pdf.pages if page.get("/Annots") and "URI" in str(page["/Annots"])] == []


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("Ana 🎉 Silva", "Ana [U+1F389] Silva"),
        ("Nia\u202eleirA\u202c", "Nia[U+202E]leirA[U+202C]"),
        ("שלום", "[U+05E9][U+05DC][U+05D5][U+05DD]"),
        ("🎉" * 12, "[U+1F389]" * 8 + "[and 4 more]"),
        ("Zoe\u0308", "Zoë"),
    ],
)
def test_what_no_font_shows_is_printed_by_its_number(incident: Incident, written: str, printed: str) -> None:
    add(incident, written)
    assert printed.replace(" ", "") in words(report_of(incident)).replace(" ", "")


def test_the_longest_texts_are_printed_whole(incident: Incident) -> None:
    together = "abcdefghij" * 400
    apart = ("Seven words that end with a full stop. " * 105)[:3990].strip()
    add(incident, together, apart)
    said = words(report_of(incident)).replace(" ", "")
    assert re.sub(r"(?:IR-\d+-\d+.*?What,andbywhom)", "", said).count("abcdefghij") > 380
    assert said.count("Sevenwords") > 100


def test_runs_follow_their_first_entry_with_number_time_and_digits(incident: Incident) -> None:
    with transaction.atomic():
        locked = Incident.objects.select_for_update().get(pk=incident.pk)
        entries = [Entry("action.account_changed", f"person{number}@parliament.example: held") for number in range(60)]
        record_many(locked, entries, actor=PORTAL, at=AT)
    said = words(report_of(incident)).replace(" ", "")
    for event in incident.events.filter(sequence__gte=2):
        assert f"#{event.sequence}09:40:00{event.summary}[{event.hash[:8]}]".replace(" ", "") in said


def test_accounts_actions_evidence_contacts_and_corrections_stand_in_their_tables(incident: Incident) -> None:
    (account,) = incident.affected_accounts.filter(pk__in=confirmed(incident, "Birkmere"))
    step = make_step(incident, title="Preserve the logs", status="succeeded", closed_at=AT, closed_by="Forensics")
    Evidence.objects.create(step=step, kind="note", note="Copied to the vault", added_by="Forensics", added_at=AT)
    make_action(incident, account, reason="They got in", drafted_by="Identity team")
    ContactAttempt.objects.create(
        affected_account=account, channel="phone", outcome="no_answer", at=AT, made_by="Desk", recorded_at=AT
    )
    add(incident, "Fifteen networks")
    first = incident.events.get(summary="Fifteen networks").sequence
    correct_entry(
        incident_id=incident.pk, sequence=first, summary="Fourteen networks", occurred_at=AT, precision="second",
        reason="Counted again", actor=COMMAND_LINE, at=AT,
    )  # fmt: skip
    said = words(report_of(incident))
    for expected in (
        "birkmere@parliament.example Birkmere, Ana",
        "Preserve the logs",
        "Copied to the vault",
        "They got in",
        "Identity team",
        "Disable sign-in, 1 account through people",
        "Phone 1",
        f"#{first} said: Fifteen networks",
        "1 account on the list" if not account.compromised_at else "0 of 1 compromised account contained",
    ):
        assert expected in said


def test_a_report_with_a_filter_holds_the_figures_and_what_the_filter_shows(incident: Incident) -> None:
    confirmed(incident, "Birkmere")
    add(incident, "We lock everyone out", lane=Lane.DECISION)
    add(incident, "A note for ourselves")
    pdf = report_of(incident, "lane=decision")
    said = words(pdf)
    assert "We lock everyone out" in said
    assert "A note for ourselves" not in said
    assert "birkmere@" not in said
    assert "kind Decision" in said
    assert "no tables of accounts, steps and actions" in said
    assert "Accounts" not in headings(pdf)


def test_accounts_can_be_numbers_in_tables_and_in_what_people_wrote(incident: Incident) -> None:
    rows = confirmed(incident, "Birkmere", "Ormisk")
    change_state(
        incident_id=incident.pk, account_ids=rows[:1], after=State.SUSPECTED, reason="Ana Birkmere was away",
        actor=COMMAND_LINE, at=AT,
    )  # fmt: skip
    add(incident, "BIRKMERE@parliament.example wrote; ask birkmere and Ormisk, Ana", account="other@parliament.example")
    add(incident, "other@parliament.example: restricted", account="other@parliament.example")
    said = words(report_of(incident, pseudonyms=True))
    assert not re.search("birkmere|ormisk|other@", said, re.IGNORECASE)
    assert "Account 1 wrote; ask Account 1 and Account 2" in said
    assert "Account 3: restricted" in said
    assert "Accounts are named by numbers" in said
    assert "birkmere" in words(report_of(incident))


def test_the_same_source_gives_the_same_file(incident: Incident) -> None:
    first, second = (report_of(incident) for _ in range(2))
    assert first.trailer["/ID"] == second.trailer["/ID"]
    assert words(first) == words(second)


def test_what_finds_no_place_is_said_on_the_cover(incident: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "LINES_MAX", 4)
    add(incident, *(f"Entry of the story {number}" for number in range(20)))
    pdf = report_of(incident)
    incident.refresh_from_db()
    cover = re.sub(r"\s+", " ", pdf.pages[0].extract_text())
    assert f"Printed are the first 4 entries. {incident.head_sequence - 4} more are in the evidence bundle" in cover
    assert "Entry of the story 19" not in words(pdf)


def test_entries_beyond_the_most_are_counted_and_not_read(incident: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "ENTRIES_MAX", 5)
    add(incident, *(f"Entry of the story {number}" for number in range(20)))
    content = making.content_of(source_of(incident))
    incident.refresh_from_db()
    assert sum(len(part["blocks"]) for part in content["timeline"]) == 5
    assert f"{incident.head_sequence - 5} more" in content["notes"][0]


def test_what_stops_the_setter_is_said_without_what_was_set(
    incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MOST_SECONDS", 0.001)
    add(incident, "secretive words")
    with pytest.raises(SettingError, match="not ready") as caught:
        report_of(incident)
    assert "secretive" not in str(caught.value)


def test_it_says_which_moment_its_tables_show_where_more_came_in_meanwhile(incident: Incident) -> None:
    confirmed(incident, "Birkmere")
    add(incident, "The last one of the report")
    source = source_of(incident)
    head = incident.head_sequence
    with transaction.atomic():
        locked = Incident.objects.select_for_update().get(pk=incident.pk)
        record(locked, Entry("export.requested", "EX-01 asked for"), actor=COMMAND_LINE, at=AT)
    said = {one["title"]: one["intro"] for one in making.content_of(source)["tables"]}
    assert f"As of entry #{head}, the last of this report." in said["Accounts"]
    add(incident, "It went on", "And on")
    content = making.content_of(source)
    said = {one["title"]: one["intro"] for one in content["tables"]}
    later = f"As of entry #{head + 3}, recorded Fri 20 Nov 2026 09:40 GMT, when this report was made; its last entry is"
    for title in (
        "Steps and their evidence",
        "Accounts",
        "Actions",
        "Approvals",
        "Contacts with holders",
        "Redactions",
    ):
        assert f"{later} #{head}." in said[title], title
    for title in ("Decisions", "Corrections"):
        assert said[title] == f"Up to entry #{head}, the last of this report."
    assert f"{later} #{head}." in content["clocks"]["intro"]
    out = io.BytesIO()
    making.write_report(out, source)
    printed = words(PdfReader(out))
    assert f"2 entries came in between this report’s last one, #{head}, and its making." in printed
    assert printed.count(f"As of entry #{head + 3}, recorded") == 8

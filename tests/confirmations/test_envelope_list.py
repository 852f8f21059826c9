"""The list that lies beside a run of letters: it counts envelopes, and no code is in it."""

from typing import Any

from pypdf import PdfReader

from runbooks.confirmations.letters import Envelope, make_envelope_list
from tests.confirmations.letters import MADE_AT, SENDER, letter
from tests.pdf import read, words


def listed(*envelopes: Envelope, **changes: Any) -> PdfReader:
    options: dict[str, Any] = {"run": 3, "incident": "IR-2017-003", "sender": SENDER, "made_at": MADE_AT, **changes}
    return read(make_envelope_list(envelopes, **options))


def test_it_names_number_holder_office_and_department() -> None:
    said = words(listed(letter(1), letter(2, name="Bryn Ashdown", office="Room 7", department="Hansard")))
    assert "Envelope list, run 3 of IR-2017-003" in said
    assert "Envelopes: 2." in said
    assert "1 Zoë Birkmere Room 412 Members’ staff 2 Bryn Ashdown Room 7 Hansard" in said


def test_it_holds_no_code_also_where_letters_are_given() -> None:
    pdf = listed(*[letter(number, code=f"7K2M-{number:04}") for number in range(1, 4)])
    assert "7K2M" not in words(pdf)
    assert all(b"7K2M" not in page.get_contents().get_data() for page in pdf.pages)


def test_it_shows_names_as_the_windows_do() -> None:
    assert "1 birkmerez@ministry.example Room 412" in words(
        listed(letter(name="山田太郎", account="birkmerez@ministry.example"))
    )
    assert '1 #panic("x") Room 412' in words(listed(letter(name='#panic("x")')))


def test_many_envelopes_repeat_the_head_and_number_the_pages() -> None:
    pdf = listed(*[letter(number) for number in range(1, 101)])
    pages = [" ".join(page.extract_text().split()) for page in pdf.pages]
    assert len(pages) > 2
    for number, text in enumerate(pages, 1):
        assert "No. Name Office Department Sealed" in text
        assert f"Page {number} of {len(pages)}" in text


def test_it_is_tagged() -> None:
    pdf = listed(letter())
    assert pdf.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert pdf.trailer["/Root"]["/Lang"] == "en-GB"

"""Letters as PDF: what stands in them, that anybody's software can read them, and that no name breaks a run."""

import re
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from runbooks.confirmations.letters import Sender, SettingError
from runbooks.confirmations.letters.contents import LANGUAGES
from runbooks.confirmations.letters.wording import texts
from runbooks.typesetting import process
from tests.confirmations.letters import MADE_AT, SENDER, letter, made
from tests.pdf import fonts, structure, words

CODE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b")


def test_the_code_is_read_from_the_text() -> None:
    pdf = made(letter(1, code="7K2M-9QTX"), letter(2, code="0123-4567"))
    assert [CODE.findall(page.extract_text()) for page in pdf.pages] == [["7K2M-9QTX"], ["0123-4567"]]


def test_a_letter_says_what_to_do_by_when_and_how_to_check_it() -> None:
    said = words(made(letter()))
    for words_in_it in (
        "Zoë Birkmere Room 412 Members’ staff",
        "23 June 2017",
        "Our reference: IR-2017-003",
        "Somebody guessed passwords of our accounts, and may have used yours.",
        "portal.parliament.example/confirm",
        "birkmerez@parliament.example",
        "until 3:00pm on Friday 7 July 2017",
        "Check that the address begins with portal.parliament.example.",
        "the number on the back of your pass",
        "it never asks for your password",
        "If this letter is not for you",
        "IR-2017-003 · run 3 · letter 1",
    ):
        assert words_in_it in said


def test_no_letter_holds_a_link() -> None:
    pdf = made(letter(), letter(2, language="cy"))
    assert [page.get("/Annots") for page in pdf.pages] == [None, None]
    assert "://" not in words(pdf)


def test_each_language_names_its_own_page_in_words_and_as_qr_code() -> None:
    sender = replace(SENDER, welsh_page_url="https://portal.parliament.example/cadarnhau/")
    pdf = made(letter(), letter(2, language="cy"), sender=sender)
    english, welsh = (page.extract_text() for page in pdf.pages)
    assert "parliament.example/confirm" in english
    assert "cadarnhau" not in english
    assert "parliament.example/cadarnhau" in welsh
    assert "/confirm" not in welsh
    described = [element["/Alt"] for element in structure(pdf) if element["/S"] == "/Figure"]
    assert [text.rpartition("/")[2] for text in described] == ["confirm", "cadarnhau"]
    assert [page.get("/Annots") for page in pdf.pages] == [None, None]
    assert "://" not in words(pdf)


def test_the_languages_say_the_same_things() -> None:
    english, welsh = (texts(language) for language in LANGUAGES)
    assert english.keys() == welsh.keys()
    for group in ("text_message", "time"):
        assert english[group].keys() == welsh[group].keys()
    for key, said in english.items():
        if isinstance(said, str):
            assert sorted(re.findall(r"{\w+}", said)) == sorted(re.findall(r"{\w+}", welsh[key]))


def test_the_telephone_of_the_desk_is_to_be_compared_with_the_pass() -> None:
    sender = Sender(SENDER.institution, SENDER.page_url, SENDER.zone, desk_telephone="020 7946 0100")
    said = words(made(letter(), sender=sender))
    assert "020 7946 0100 (compare it with the number on the back of your pass)" in said


def test_every_letter_begins_on_a_page_of_its_own() -> None:
    longer = letter(2, what_happened="Somebody guessed passwords. " * 30, account="x" * 300)
    pdf = made(letter(1), longer, letter(3))
    footers = [re.findall(r"letter (\d+)", page.extract_text())[-1] for page in pdf.pages]
    assert footers == ["1", "2", "2", "3"]


def test_a_usual_letter_is_one_page_in_either_language() -> None:
    sender = Sender(SENDER.institution, SENDER.page_url, SENDER.zone, desk_telephone="020 7946 0100")
    sentence = (
        "On 23 June 2017 somebody guessed passwords of our accounts, and yours is one of those they may have used."
    )
    letters = [letter(1, what_happened=sentence), letter(2, what_happened=sentence, language="cy")]
    assert len(made(*letters, sender=sender).pages) == 2


def test_a_letter_in_welsh_says_so_and_has_its_dates() -> None:
    pdf = made(letter(language="cy"))
    said = words(pdf)
    assert "Cadarnhewch eich bod wedi newid eich cyfrinair" in said
    assert "tan 3:00yh ddydd Gwener 7 Gorffennaf 2017" in said
    assert "password" not in said.replace("guessed passwords", "")
    assert pdf.trailer["/Root"]["/Lang"].startswith("cy")


def test_a_run_in_two_languages_marks_each() -> None:
    pdf = made(letter(1), letter(2, language="cy"))
    assert pdf.trailer["/Root"]["/Lang"] == "en-GB"
    assert any(str(element.get("/Lang", "")).startswith("cy") for element in structure(pdf))


def test_midnight_and_noon_are_said_rightly() -> None:
    midnight = MADE_AT.replace(hour=23, minute=5)  # in London it is summer
    assert "until 12:05am on Saturday 24 June 2017" in words(made(letter(expires_at=midnight)))
    assert "until 12:05pm on Saturday 24 June 2017" in words(made(letter(expires_at=midnight + timedelta(hours=12))))


def test_the_file_is_tagged_and_titled() -> None:
    pdf = made(letter(1), letter(2))
    root = pdf.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert pdf.metadata is not None
    assert pdf.metadata.title == "Letters, run 3 of IR-2017-003"
    kinds = [element["/S"] for element in structure(pdf)]
    assert kinds.count("/H1") == 2
    assert kinds.count("/H2") == 6
    assert kinds.count("/Figure") == 2


def test_the_qr_code_has_words_for_who_cannot_see_it() -> None:
    (figure,) = (element for element in structure(made(letter())) if element["/S"] == "/Figure")
    assert figure["/Alt"] == "QR code with the address of the page, portal.parliament.example/confirm"


def test_it_names_the_standards_it_keeps() -> None:
    pdf = made(letter())
    about = pdf.trailer["/Root"]["/Metadata"].get_object().get_data().decode()
    assert re.search(r"pdfaid:part[>=\"]+2", about)
    assert re.search(r"pdfaid:conformance[>=\"]+A", about)
    assert re.search(r"pdfuaid:part[>=\"]+1", about)


def test_fonts_are_inside() -> None:
    descendants = [font["/DescendantFonts"][0].get_object() for font in fonts(made(letter()))]
    assert len(descendants) == 2
    for font in descendants:
        assert "SourceSans3" in font["/BaseFont"]
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(font["/FontDescriptor"])


def test_no_writing_is_smaller_than_12_points() -> None:
    sizes: set[float] = set()

    def see(text: str, _: object, matrix: list[float], __: object, size: float) -> None:
        if text.strip():
            sizes.add(round(abs(size * matrix[3]), 1))

    for page in made(letter()).pages:
        page.extract_text(visitor_text=see)
    assert min(sizes) == 12


ODD = [
    '#import "/contents.py": *',
    "#panic()",
    "$ sum_(k=1)^n k $",
    "@label <label>",
    "back\\slash \\u{41}",
    "*bold* _slanted_ `raw` // comment",
    '"quoted" ‘names’ [of] {people}',
    "= heading - item + item",
    "https://elsewhere.example/confirm",
    "{address} {0} %s",
    "Ffion Ŵyn ap Ŷstwyth",
]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_name_is_printed_as_it_stands(odd: str) -> None:
    pdf = made(letter(name=odd, office=odd, account=odd, what_happened=odd))
    assert words(pdf).count(odd) == 4
    assert pdf.pages[0].get("/Annots") is None


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("Ana 🎉 Silva", "Ana Silva"),
        ("Nia\u202eleirA\u202c", "NialeirA"),
        ("line\nbreak\tand\x00zero", "line break andzero"),
        ("Zoe\u0308", "Zoë"),
        ("soft\u00adhyphen\ufeff \ue000\uffff", "softhyphen"),
        ("\ud800Ana", "Ana"),
    ],
)
def test_what_no_font_shows_is_left_out_of_a_name(written: str, printed: str) -> None:
    assert f"{printed} Room 412" in words(made(letter(name=written)))


@pytest.mark.parametrize("name", ["محمد الفارسي", "דוד לוי", "山田太郎", "🎉", "", " "])
def test_the_account_stands_in_for_a_name_in_a_script_no_font_has(name: str) -> None:
    assert "Personal birkmerez@parliament.example Room 412" in words(made(letter(name=name)))


def test_a_very_long_name_is_cut_and_stays_in_the_window() -> None:
    said = words(made(letter(name="Ann " * 200, office="Room " * 200)))
    assert "Ann Ann…" in said
    assert said.count("Ann") < 25


def test_a_very_long_account_name_is_printed_whole() -> None:
    account = "abcdefghij" * 30
    assert account in re.sub(r"[\s\u200b]", "", words(made(letter(account=account))))


def test_an_exercise_says_so() -> None:
    assert "Exercise." not in words(made(letter()))
    assert "Exercise. Nothing happened in fact." in words(made(letter(), is_exercise=True))


def test_a_code_in_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="two groups"):
        letter(code="7K2M9QTX")


def test_a_run_without_letters_is_refused() -> None:
    with pytest.raises(ValueError, match="one letter at least"):
        made()


def test_the_same_run_gives_the_same_file() -> None:
    first, second = (made(letter(1), letter(2)) for _ in range(2))
    assert words(first) == words(second)
    assert first.trailer["/ID"] == second.trailer["/ID"]


def test_a_failure_of_the_setter_names_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "FONTS", tmp_path)  # no font there
    with pytest.raises(SettingError, match="Source Sans 3 is missing") as caught:
        made(letter())
    assert "7K2M" not in str(caught.value)


def test_a_run_that_takes_too_long_is_given_up_and_names_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MOST_SECONDS", 0.001)
    with pytest.raises(SettingError, match="smaller one") as caught:
        made(letter())
    assert caught.value.__suppress_context__


def test_nothing_of_a_run_stays_in_the_portals_own_process() -> None:
    assert "typst" not in sys.modules

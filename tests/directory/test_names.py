import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.directory.names import fold, match_keys, parse_line, shed

SMITH = match_keys(
    "Jane.Smith@Parliament.example",
    "j.smith@mail.example",
    "Smith, Jane (Library)",
    "Jane",
    "Smith",
    "jane@home.example",
)


def finds(line: str, keys: list[str]) -> bool:
    """Whether any key that the line looks for is one of these."""
    candidates = parse_line(line)
    wanted = {key for one in (*candidates.identifiers, candidates.name) for level in one for key in level}
    return bool(wanted & set(keys))


def test_an_account_is_found_by_login_addresses_and_names() -> None:
    assert SMITH == [
        "a:jane.smith@parliament.example",
        "l:jane.smith",
        "a:j.smith@mail.example",
        "l:j.smith",
        "p:jane@home.example",
        "n:smith, jane (library)",
        "g:jane (library) smith",
        "g:jane smith",
    ]


def test_a_key_too_long_to_keep_is_left_out_and_not_cut() -> None:
    keys = match_keys("a", "", "ß" * 250)
    assert keys == ["a:a", "l:a"]


@pytest.mark.parametrize(
    "line",
    [
        "jane.smith@parliament.example",
        "JANE.SMITH@PARLIAMENT.EXAMPLE",
        "  jane.smith@parliament.example \t",
        "\ufeffjane.smith@parliament.example",
        "jane.smith\u200b@parliament.example",
        "ｊane.smith＠parliament.example",
        '"Smith, Jane" <jane.smith@parliament.example>',
        "Smith, Jane <jane.smith@parliament.example>;",
        "<jane.smith@parliament.example>",
        "mailto:jane.smith@parliament.example",
        "(jane.smith@parliament.example),",
        "- jane.smith@parliament.example",
        "• jane.smith@parliament.example",
        "12. jane.smith@parliament.example",
        "3) jane.smith@parliament.example",
        "jane.smith@parliament.example # confirmed by phone",
        "jane.smith@parliament.example, 21:40, London",
        "j.smith@mail.example",
        "jane@home.example",
        "PARL\\jane.smith",
        "parl.local\\Jane.Smith",
        "jane.smith",
        "'jane.smith'",
        "<jane.smith>",
        "“jane.smith”;",
        "Smith, Jane (Library)",
        "“Smith,  Jane (Library)”",
        "Smith, Jane",
        "Jane Smith",
        "Smith Jane",
        "JANE SMITH,",
        "[Jane Smith]",
    ],
)
def test_a_line_finds_its_account_however_it_is_written(line: str) -> None:
    assert finds(line, SMITH)


@pytest.mark.parametrize(
    "line",
    [
        "jane.smith@elsewhere.example",
        "jane.smith@parliament.example.attacker.example",
        "xjane.smith@parliament.example",
        "Jane, Smith",
        "Jane",
        "Smith",
        "Jane Smith Jones",
        "Jané Smith",
        "PARL\\jane.smith\\x",
        "\\\\parl\\jane.smith\\share",
        "jane smith@parliament.example",
    ],
)
def test_a_line_that_says_something_else_does_not(line: str) -> None:
    assert not finds(line, SMITH)


@pytest.mark.parametrize("line", ["", "   ", "# from the SOC", "  # indented", "#x", ";;", '""', "\ufeff", "-- ", "<>"])
def test_comments_and_lines_without_content_are_blank(line: str) -> None:
    assert parse_line(line).is_blank


def test_a_login_may_hold_a_number_sign() -> None:
    keys = match_keys("zoe_mail.example#EXT#@parliament.example", "")
    assert finds("zoe_mail.example#EXT#@parliament.example # guest", keys)


def test_a_family_name_of_several_words_may_come_first_without_a_comma() -> None:
    keys = match_keys("a", "", "", "Anna", "van der Berg")
    assert finds("van der Berg Anna", keys)
    assert finds("Van der Berg, Anna", keys)
    assert not finds("Berg, Anna van der x", keys)


def test_an_apostrophe_is_one_whichever_way_it_curls() -> None:
    keys = match_keys("a", "", "O'Dor-Ham, Noël")
    assert finds("O’Dor–Ham, Noe\u0308l", keys)


def test_a_name_beside_an_address_stays_beside() -> None:
    candidates = parse_line('"Smith, Jane" <nobody@parliament.example>')
    assert candidates.identifiers == ((("a:nobody@parliament.example",), ("p:nobody@parliament.example",)),)
    assert candidates.name == (("n:smith, jane",), ("g:jane smith",))


@given(st.text())
def test_no_text_makes_the_parser_stumble(text: str) -> None:
    candidates = parse_line(text)
    assert candidates.is_blank == (not candidates.identifiers)
    assert shed(shed(text)) == shed(text)
    assert fold(fold(text)) == fold(fold(fold(text)))


LOCAL_PARTS = st.text(alphabet="abcXYZ.-'éßΣİ", min_size=1, max_size=40).map(shed).filter(bool)


@given(LOCAL_PARTS, st.sampled_from(["", "@Parliament.example"]))
def test_a_login_finds_the_account_that_has_it(local: str, domain: str) -> None:
    assert finds(local + domain, match_keys(local + domain, ""))

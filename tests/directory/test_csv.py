from io import BytesIO

import pytest

from runbooks.directory.formats import BrokenFileError, CsvFile

HEADER = "login,display name,mail\n"


def read(content: bytes | str) -> CsvFile:
    return CsvFile(BytesIO(content.encode() if isinstance(content, str) else content))


def logins(content: bytes | str) -> list[str]:
    return [record["login"] for _, record in read(content).records()]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("cp1252", "cp1252"),
    ],
)
def test_names_arrive_whole_in_every_encoding(encoding: str, name: str) -> None:
    file = read((HEADER + "a,“Zoë” Müller,a@b.example\n").encode(encoding))
    assert file.encoding == name
    assert [record["display name"] for _, record in file.records()] == ["“Zoë” Müller"]


def test_a_big_endian_mark_is_understood() -> None:
    file = read(b"\xfe\xff" + (HEADER + "zoë,,\n").encode("utf-16-be"))
    assert [record["login"] for _, record in file.records()] == ["zoë"]


def test_windows_1252_is_told_from_damaged_utf_8() -> None:
    with pytest.raises(BrokenFileError) as broken:
        read((HEADER + "a,Zoë,\n").encode() + b"b,Bj\xf6rn,\n")
    assert broken.value.line == 3
    assert "0xF6 is not UTF-8" in broken.value.reason


def test_a_byte_that_no_encoding_has_names_its_line() -> None:
    with pytest.raises(BrokenFileError) as broken:
        read(HEADER.encode() + b"a,b,c\n" * 300_000 + b"d,\x81,e\n")
    assert broken.value.line == 300_002


def test_utf_16_cut_in_the_middle_of_a_letter_is_broken() -> None:
    with pytest.raises(BrokenFileError):
        read((HEADER + "a,b,c\n").encode("utf-16")[:-1])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_seen_in_the_header(delimiter: str) -> None:
    content = f'login{delimiter}"a, b; c"\nzoe{delimiter}x\n'
    assert read(content).columns == ["login", "a, b; c"]
    assert logins(content) == ["zoe"]


def test_the_line_in_which_excel_names_the_delimiter_is_not_the_header() -> None:
    file = read("sep=;\nlogin;mail\na;b\n")
    assert file.columns == ["login", "mail"]
    assert list(file.records()) == [(3, {"login": "a", "mail": "b"})]


def test_lines_are_counted_in_the_file_and_not_in_rows() -> None:
    file = read('login,office\na,"Room 1\nThird floor"\n\nb,Room 2\n')
    assert [line for line, _ in file.records()] == [2, 5]


def test_columns_without_or_with_the_same_name_can_be_told_apart() -> None:
    assert read("login,,mail,mail\n").columns == ["login", "column 2", "mail", "mail (4)"]


def test_a_row_of_another_width_is_refused_with_its_line() -> None:
    file = read(HEADER + "a,b\nc,d,e\nf,g,h,i\n")
    assert [line for line, _ in file.records()] == [3]
    assert [(rejection.line, rejection.reason) for rejection in file.rejections.kept] == [
        (2, "has 2 values where the header has 3"),
        (4, "has 4 values where the header has 3"),
    ]


def test_a_last_row_cut_off_breaks_the_file() -> None:
    with pytest.raises(BrokenFileError, match="line 3: the file ends in the middle of a row, after 2 of 3 values"):
        logins(HEADER + "a,b,c\nd,e")


@pytest.mark.parametrize(
    ("rest", "line", "reason"),
    [
        ('a,"b,c\nd,e,f\n', 2, "never closed"),
        ('a,b,c\nd,"e"x,f\n', 3, "followed by text"),
        ('a,b,c\nd,"' + "x" * 140_000, 3, "longer than 131,072"),
    ],
)
def test_a_stray_quotation_mark_breaks_the_file_where_it_stands(rest: str, line: int, reason: str) -> None:
    with pytest.raises(BrokenFileError) as broken:
        logins(HEADER + rest)
    assert broken.value.line == line
    assert reason in broken.value.reason
    assert str(broken.value).endswith("Nothing was changed.")


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_a_file_without_a_header_says_so(content: str) -> None:
    with pytest.raises(BrokenFileError, match="no header row"):
        read(content)

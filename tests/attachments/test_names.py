"""What a file is called, whatever its sender called it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.attachments.names import NAME_MAX, safe_name, size_in_words


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("read-back.csv", "read-back.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\log.txt", "log.txt"),
        ("/absolute/log.txt", "log.txt"),
        ("..", "file"),
        ("", "file"),
        ("...hidden", "hidden"),
        ("a\0b\r\nc.txt", "ab c.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("zero\u200bwidth.txt", "zerowidth.txt"),
        ("  wide   space .txt", "wide space .txt"),
        ('quote".txt', 'quote".txt'),
        ("Übersicht.csv", "Übersicht.csv"),
    ],
)
def test_an_evil_file_name_loses_what_could_mislead(given_name: str, shown: str) -> None:
    assert safe_name(given_name) == shown


def test_a_long_file_name_keeps_its_ending() -> None:
    name = safe_name("x" * 500 + ".csv")
    assert len(name) == NAME_MAX
    assert name.endswith("x.csv")


@given(st.text())
def test_no_file_name_at_all_leaves_a_folder_or_a_control_mark(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert len(safe) <= NAME_MAX
    assert safe not in {".", ".."}
    assert not set(safe) & {"/", "\\", "\0", "\n", "\r", "\u202e"}
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("size", "words"),
    [(1, "1 byte"), (812, "812 bytes"), (12_345, "12 kB"), (3_400_000, "3.4 MB"), (100_000_000, "100 MB")],
)
def test_sizes_are_said_in_words(size: int, words: str) -> None:
    assert size_in_words(size) == words

"""What people wrote gives no orders to the program that shows it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from runbooks.notifications.channels.plain import brief, cut, harmless, said, without_markdown, without_mentions
from tests.notifications.channels.peers import MESSAGE


def test_subject_and_text_are_said_once_each() -> None:
    assert said(MESSAGE, 500) == "TLP:GREEN IR-2026-0001: now contained\n\nIR-2026-0001 is now contained."
    assert said(replace(MESSAGE, body=MESSAGE.subject + "\n"), 500) == MESSAGE.subject
    assert said(replace(MESSAGE, subject=""), 500) == "IR-2026-0001 is now contained."
    assert brief(MESSAGE, 500) == "IR-2026-0001 is now contained."
    assert brief(replace(MESSAGE, body=" "), 500) == MESSAGE.subject


def test_what_is_too_long_is_cut_and_says_so() -> None:
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abc def", 5) == "abc…"
    assert len(said(replace(MESSAGE, body="x" * 9000), 4000)) == 4000


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("a\x00b\x07c\x1b[31m", "abc[31m"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\r\nb\rc\td", "a\nb\nc\td"),
        ("\ud800x", "x"),
        ("Ffôn ŵ 🎉 “£5”", "Ffôn ŵ 🎉 “£5”"),
    ],
)
def test_signs_that_control_something_are_taken_out(written: str, left: str) -> None:
    assert harmless(written) == left


@pytest.mark.parametrize(
    "name", ["@here", "@channel", "@everyone", "@U012AB", "<@U012AB>", "<@&42>", "<@!42>", "a @all"]
)
def test_nobody_is_called_by_a_name_in_the_text(name: str) -> None:
    text = without_mentions(name)
    assert name not in text
    assert text.replace("\u2060", "") == name


@given(st.text(alphabet=st.sampled_from("ab1 .)-+*_`~#>|<[](!)\\=\n&;:"), max_size=60))
def test_markdown_shows_every_sign_as_it_was_written(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(without_markdown(text))
    kinds = {token.type for token in tokens} | {child.type for token in tokens for child in token.children or []}
    assert not kinds & {"link_open", "image", "em_open", "strong_open", "code_inline", "fence", "html_inline"}
    if "    " not in text:  # which is a block of code, and shows everything as it is
        shown = "".join(child.content for token in tokens for child in token.children or [])
        assert "".join(shown.split()) == "".join(text.split())
    assert not kinds & {"heading_open", "blockquote_open", "bullet_list_open", "ordered_list_open", "html_block", "hr"}

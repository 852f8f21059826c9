"""Text messages to holders: what they say, and how long that is."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runbooks.confirmations.letters import Sender
from runbooks.confirmations.text_messages import message, parts, tamed
from tests.confirmations.letters import MADE_AT, SENDER


def said(**options: Any) -> str:
    return message("7K2M-9QTX", MADE_AT + timedelta(hours=24), **{"sender": SENDER, **options})


def test_a_message_says_where_what_until_when_and_that_nobody_asks() -> None:
    text = said()
    assert "portal .parliament .example /confirm" in text
    assert "7K2M-9QTX" in text
    assert "until 3:00pm on Saturday 24 June" in text
    assert "Nobody will ever ask you for your password or this code." in text


def test_a_message_in_welsh_says_the_same() -> None:
    text = said(language="cy")
    assert "portal .parliament .example /confirm" in text
    assert "7K2M-9QTX" in text
    assert "tan 3:00yh ddydd Sadwrn 24 Mehefin" in text
    assert "Ni fydd neb byth yn gofyn am eich cyfrinair" in text


@pytest.mark.parametrize("welsh_page_url", ["", "https://portal.parliament.example/cadarnhau/"])
@pytest.mark.parametrize("language", ["en-gb", "cy"])
def test_a_message_has_two_parts_and_no_link(language: str, welsh_page_url: str) -> None:
    text = said(language=language, sender=replace(SENDER, welsh_page_url=welsh_page_url))
    assert parts(text) == 2
    assert "://" not in text
    assert not any(
        a.isalnum() and dot == "." and b.isalnum() for a, dot, b in zip(text, text[1:], text[2:], strict=False)
    )


def test_a_message_in_welsh_names_the_welsh_page() -> None:
    sender = replace(SENDER, welsh_page_url="https://portal.parliament.example/cadarnhau/")
    assert "portal .parliament .example /cadarnhau" in said(language="cy", sender=sender)
    assert "portal .parliament .example /confirm" in said(sender=sender)


def test_an_exercise_begins_with_the_word() -> None:
    assert said(is_exercise=True) == f"EXERCISE. {said()}"
    assert said(is_exercise=True, language="cy").startswith("YMARFER. ")


def test_a_port_is_tamed_too() -> None:
    sender = Sender("P", "http://localhost:8000/confirm/", SENDER.zone)
    assert tamed(sender.address) == "localhost :8000 /confirm"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ŵ" * 70, 1),
        ("ŵ" * 71, 2),
        ("ŵ" * 134, 2),
        ("ŵ" * 135, 3),
        ("🎉" * 35, 1),
        ("🎉" * 36, 2),
    ],
)
def test_parts_are_counted_as_gateways_bill_them(text: str, count: int) -> None:
    assert parts(text) == count


def test_the_alphabet_is_that_of_gsm() -> None:
    assert parts("@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ" * 5) == 1
    assert json.dumps(said()).isascii()

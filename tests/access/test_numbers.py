"""Numbers in addresses and forms."""

import pytest

from runbooks.access.http import whole_number, whole_numbers


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_digits_are_a_number(text: str, number: int) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize(
    "text", [None, "", "-1", "+1", "1.0", " 1", "1_000", "0x10", "seven", "٣", "²", "9" * 19, "1\x00"]
)
def test_anything_else_is_none(text: str | None) -> None:
    assert whole_number(text) is None


def test_of_many_texts_those_that_are_numbers_stay() -> None:
    assert whole_numbers(["12", "x", "", "9" * 19, "3"]) == [12, 3]

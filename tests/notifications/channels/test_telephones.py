"""Telephone numbers have one form, whoever wrote them down."""

import pytest

from runbooks.notifications.channels.telephones import NumberError, e164, masked, takes_texts, written


@pytest.mark.parametrize(
    "written",
    [
        "07700 900123",
        "07700-900-123",
        " 07700\u00a0900123 ",
        "+44 7700 900123",
        "+44 (0)7700 900123",
        "+4407700900123",
        "0044 (0) 7700.900.123",
        "00447700900123",
        "(07700) 900123",
        "+44 7700\u2011900\u2013123",
    ],
)
def test_a_uk_number_has_one_form(written: str) -> None:
    assert e164(written) == "+447700900123"


def test_numbers_abroad_keep_their_country() -> None:
    assert e164("+353 85 012 3456") == "+353850123456"
    assert e164("085 012 3456", country="353") == "+353850123456"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "7700 900123",
        "0",
        "+",
        "+44",
        "07700",
        "07700 900123 x12",
        "07700 900123, 07700 900124",
        "+07700900123",
        "+44 7700 900123 4567",
        "٠٧٧٠٠٩٠٠١٢٣",
        "a@b.example",
        "+44+7700900123",
        "07700\x00900123",
    ],
)
def test_what_is_no_number_is_refused(written: str) -> None:
    with pytest.raises(NumberError) as caught:
        e164(written)
    assert len(written) < 13 or written not in str(caught.value)


def test_in_the_uk_texts_go_to_mobiles_only() -> None:
    assert takes_texts(e164("07700 900123"))
    assert takes_texts(e164("07624 400123"))  # the Isle of Man
    assert takes_texts(e164("+353 1 234 5678"))
    assert not takes_texts(e164("020 7946 0100"))
    assert not takes_texts(e164("070 1234 5678"))
    assert not takes_texts(e164("07640 123456"))
    assert not takes_texts(e164("+44 7700 9001"))


@pytest.mark.parametrize(
    ("number", "read"),
    [("+447700900123", "07700 900123"), ("+353850123456", "+353850123456"), ("+442079460100", "+442079460100")],
)
def test_a_mobile_number_is_shown_as_people_read_it(number: str, read: str) -> None:
    assert written(number) == read


def test_a_number_is_shown_to_colleagues_so_that_they_know_it_and_cannot_ring_it() -> None:
    assert masked("+447700900123") == "+44 … 0123"
    assert masked("+441234") == "…"

"""Telephone numbers, in one form."""

import re
from typing import Final

INTERNATIONAL: Final = re.compile(r"\s*(\+|00)")
WRITTEN: Final = re.compile(r"(?:\+|00)?[0-9]+")
BETWEEN_DIGITS: Final = re.compile(r"[\s().\-/\u2010-\u2015\u00a0]")
E164: Final = re.compile(r"\+[1-9][0-9]{7,14}")


class NumberError(ValueError):
    """What was written is no telephone number, and why; it is not repeated."""


def e164(written: str, country: str = "44") -> str:
    """A telephone number as +447700900123. Raises NumberError where it cannot be one.

    `country` is the calling code of numbers that begin with a nought.
    """
    digits = BETWEEN_DIGITS.sub("", written.replace("(0)", "") if INTERNATIONAL.match(written) else written)
    if not WRITTEN.fullmatch(digits):
        raise NumberError("The telephone number is not written in digits.")
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    elif digits.startswith("0"):
        digits = f"+{country}{digits[1:]}"
    if digits.startswith("+440"):  # the nought of numbers at home, left in by mistake
        digits = f"+44{digits[4:]}"
    if not E164.fullmatch(digits):
        raise NumberError("The telephone number is not whole. Write it as +44 7700 900123.")
    return digits


def written(number: str) -> str:
    """A number from `e164` as people read it: a mobile of the UK as 07700 900123, any other as it stands."""
    is_uk_mobile = number.startswith("+447") and len(number) == 13
    return f"0{number[3:7]} {number[7:]}" if is_uk_mobile else number


def takes_texts(number: str) -> bool:
    """Whether texts arrive at a number from `e164`, as far as it tells: in the UK only at mobiles."""
    if not number.startswith("+44"):
        return True
    is_pager_or_personal = number.startswith(("+4470", "+4476")) and not number.startswith("+447624")
    return number.startswith("+447") and len(number) == 13 and not is_pager_or_personal


def masked(number: str) -> str:
    """Enough of a number to know it again: +44 … 0123."""
    return f"{number[:3]} … {number[-4:]}" if len(number) > 8 else "…"

"""Text messages to holders: what they say, and how long that is.

A message holds a code and no link: the page's address is written so that a phone makes none of it.
"""

import re
from datetime import datetime
from typing import Final

from runbooks.confirmations.letters import Sender
from runbooks.confirmations.letters.contents import Language
from runbooks.confirmations.letters.wording import soon, texts

# GSM 03.38: the characters of one septet, and those of two.
SEPTETS: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
TWO_SEPTETS: Final = frozenset("\f^{}\\[~]|€")


def message(
    code: str, expires_at: datetime, *, sender: Sender, language: Language = "en-gb", is_exercise: bool = False
) -> str:
    """What the holder reads; `code` as two groups."""
    words = texts(language)["text_message"]
    said: str = words["said"].format(
        institution=sender.institution,
        address=tamed(sender.writing(language).address),
        code=code,
        expires=soon(expires_at, sender.zone, language),
    )
    return f"{words['exercise']}{said}" if is_exercise else said


def tamed(address: str) -> str:
    """An address that no phone turns into a link: "portal .parliament .example /confirm"."""
    return re.sub(r"[.:/]", r" \g<0>", address)


def parts(text: str) -> int:
    """In how many parts a message travels: of 160 septets, or 153 of many; 70 or 67 where a character is not GSM's."""
    if set(text) <= SEPTETS | TWO_SEPTETS:
        length, one, many = len(text) + sum(mark in TWO_SEPTETS for mark in text), 160, 153
    else:
        length, one, many = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= one else -(-length // many)

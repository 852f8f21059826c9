"""What people wrote, made harmless before the portal says it in its own name."""

import re
from typing import Final

# What mail programs make a link of by themselves.
LINK: Final = re.compile(r"://|^[^@]*\w\.[a-z]{2,}(?:[/:?#]|\W*$)", re.I)
WORD: Final = re.compile(r"\S+")


def tamed(value: object) -> object:
    """What somebody wrote, on one line and without a link to press.

    It could otherwise break out of its line and say something as if the portal did, or lead where an attacker wants:
    whoever may declare an incident can have this text sent to everybody.
    """
    if not isinstance(value, str):
        return value
    return unlinked(" ".join(value.split()))


def unlinked(text: str) -> str:
    """The same text, its lines and spaces as they are, without a link to press."""
    return WORD.sub(_unlinked, text)


def _unlinked(found: re.Match[str]) -> str:
    word = found[0]
    return word.replace("://", "[:]//").replace(".", "[.]") if LINK.search(word) else word

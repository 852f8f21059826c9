"""Text as it may be shown: what people wrote gives no orders to the program that shows it."""

import re
import unicodedata
from typing import Final

from runbooks.notifications.channels.base import Message

# What turns the reading around (Unicode Standard Annex 9), and what hides.
TURNING: Final = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
MENTION: Final = re.compile(r"@(?=[\w&!])")
INLINE: Final = re.compile(r"[\\`*_\[\]<>~|#&]")
AT_LINE_START: Final = re.compile(r"^(\s*)(\d*)([-+=.)])", re.M)
NO_BREAK: Final = "\u2060"  # a word joiner: seen by no one, and no name begins with it


def said(message: Message, most: int) -> str:
    """Subject and text, or one of them where the other says the same; at most so many characters."""
    subject, body = harmless(message.subject).strip(), harmless(message.body).strip()
    return cut(subject if body in {"", subject} else body if not subject else f"{subject}\n\n{body}", most)


def brief(message: Message, most: int) -> str:
    """The text alone, for where a sentence or two fit."""
    return cut(harmless(message.body).strip() or harmless(message.subject).strip(), most)


def harmless(text: str) -> str:
    """Without characters that control something; lines and tabs stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        mark for mark in text if mark in "\n\t" or not (unicodedata.category(mark) in {"Cc", "Cs"} or mark in TURNING)
    )


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def without_mentions(text: str) -> str:
    """@here and @everybody are read and call nobody."""
    return MENTION.sub(f"@{NO_BREAK}", text)


def without_markdown(text: str) -> str:
    """Every sign that Markdown knows is shown as it is."""
    return AT_LINE_START.sub(r"\1\2\\\3", INLINE.sub(r"\\\g<0>", text))

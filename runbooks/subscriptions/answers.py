"""What a receiver answered, made harmless before it is kept: people read it later on a page."""

import unicodedata
from dataclasses import dataclass
from typing import Final

ANSWER_MAX: Final = 2000
REASON_MAX: Final = 300
BYTES_READ: Final = 4 * ANSWER_MAX
KEPT_AS_THEY_ARE: Final = frozenset("\n\t")
PICTURES: Final = 0x2400  # Unicode has a picture for each control character of ASCII
DELETE, PICTURE_OF_DELETE = 0x7F, "\u2421"
STRANGE: Final = "\ufffd"
GONE: Final = 410
COME_LATER: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended. `reason` is empty where it was taken; `status` None where nothing was answered."""

    milliseconds: int
    status: int | None = None
    text: str = ""
    reason: str = ""
    retry_after: float | None = None

    @property
    def is_taken(self) -> bool:
        return not self.reason

    @property
    def is_gone(self) -> bool:
        """The receiver wants no more calls at all."""
        return self.status == GONE

    @property
    def is_later(self) -> bool:
        """The receiver is there, and asks for patience."""
        return self.status in COME_LATER

    @property
    def in_short(self) -> str:
        return (self.reason or f"{self.status} in {self.milliseconds:,} ms")[:REASON_MAX]


def harmless(content: bytes) -> str:
    """The beginning as text: control characters as their pictures, what hides or turns text as a replacement mark."""
    text = content[:BYTES_READ].decode("utf-8", "replace").replace("\r\n", "\n")
    return readable(text[:ANSWER_MAX])


def readable(text: str) -> str:
    return "".join(_shown(mark) for mark in text)


def _shown(mark: str) -> str:
    code = ord(mark)
    if mark in KEPT_AS_THEY_ARE:
        return mark
    if code < 0x20:
        return chr(PICTURES + code)
    if code == DELETE:
        return PICTURE_OF_DELETE
    return STRANGE if unicodedata.category(mark) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} else mark

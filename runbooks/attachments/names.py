"""What a file is called where people see it, and how large it is, in words."""

import re
import unicodedata
from typing import Final

NAME_MAX: Final = 160
EXTENSION_MAX: Final = 16
UNNAMED: Final = "file"
# Windows opens a device for these, whatever their ending.
DEVICES: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])( *\..*)?", re.IGNORECASE)


def safe_name(name: str) -> str:
    """The last part of a file name without what could mislead: folders, control and direction marks, odd spaces.

    Never empty, never longer than NAME_MAX, never the name of a device; the ending stays. Safe names stay as they are.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(" " if mark.isspace() else mark for mark in last if _is_plain(mark))
    plain = " ".join(plain.split()).strip(". ") or UNNAMED
    if DEVICES.fullmatch(plain):
        plain = f"_{plain}"
    return _shortened(plain)


def _is_plain(mark: str) -> bool:
    """Unicode category C holds control and format marks, among them those that turn the direction of text."""
    return mark.isspace() or not unicodedata.category(mark).startswith("C")


def _shortened(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    if len(name) <= NAME_MAX or not dot or len(extension) > EXTENSION_MAX:
        return name[:NAME_MAX].rstrip(". ")
    return f"{stem[: NAME_MAX - len(extension) - 1]}.{extension}"


def size_in_words(size: int) -> str:
    """812 bytes, 12 kB, 3.4 MB, 100 MB"""
    if size < 1000:
        return f"{size} bytes" if size != 1 else "1 byte"
    if size < 1_000_000:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1_000_000:.1f}".removesuffix(".0") + " MB"

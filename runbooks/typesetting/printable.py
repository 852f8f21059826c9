"""Which characters can be printed. PDF/A has no place for one that no font shows, and one such name would stop a run.

Directories hold emoji, scripts the fonts lack, and marks that turn the direction of writing. What cannot be printed is
left out of an address; a report, which is to leave nothing out, says its number instead.
"""

import struct
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Final

FONTS: Final = Path(__file__).parent / "fonts"
# As many characters that no font shows are written by their numbers in a row.
NUMBERED: Final = 8
FULL_UNICODE: Final = (3, 10)  # platform and encoding of the table that knows every plane


def printable(text: str, *, most: int) -> str:
    """One line of what the fonts can show, `most` characters of it at the most, and … where it was cut."""
    composed = " ".join(unicodedata.normalize("NFC", text).split())
    shown = "".join(mark for mark in composed if ord(mark) in _shown() and not _is_control(mark))
    line = " ".join(shown.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def written_out(text: str, *, most: int) -> str:
    """The text with its lines, at most `most` characters of it; [U+05D3] where no font shows the character.

    Of a row of such characters the first few are written, then how many follow.
    """
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    lines = (" ".join(line.split()) for line in unicodedata.normalize("NFC", cut).splitlines())
    return "\n".join(_numbered(line) for line in lines if line)


def _numbered(line: str) -> str:
    if line.isascii() and line.isprintable():
        return line
    parts = []
    for is_shown, run in groupby(line, lambda mark: ord(mark) in _shown() and not _is_control(mark)):
        marks = list(run)
        if is_shown:
            parts.append("".join(marks))
            continue
        parts += [f"[U+{ord(mark):04X}]" for mark in marks[:NUMBERED]]
        if len(marks) > NUMBERED:
            parts.append(f"[and {len(marks) - NUMBERED} more]")
    return "".join(parts)


def _is_control(mark: str) -> bool:
    """Also marks of direction, private and unassigned characters: every category that begins with C."""
    return unicodedata.category(mark).startswith("C")


@cache
def _shown() -> frozenset[int]:
    """The characters that every weight has."""
    fonts = [frozenset(_mapped(path.read_bytes())) for path in sorted(FONTS.glob("*.ttf"))]
    return frozenset.intersection(*fonts)


def _mapped(font: bytes) -> Iterator[int]:
    """The code points a TrueType font maps to a glyph: its cmap table, in format 12 (OpenType 1.9, cmap)."""
    (tables,) = struct.unpack_from(">H", font, 4)
    entries = (struct.unpack_from(">4sIII", font, 12 + 16 * number) for number in range(tables))
    start = next(offset for tag, _, offset, _ in entries if tag == b"cmap")
    (encodings,) = struct.unpack_from(">H", font, start + 2)
    records = (struct.unpack_from(">HHI", font, start + 4 + 8 * number) for number in range(encodings))
    table = start + next(offset for *kind, offset in records if tuple(kind) == FULL_UNICODE)
    (groups,) = struct.unpack_from(">I", font, table + 12)
    for number in range(groups):
        first, last, _ = struct.unpack_from(">III", font, table + 16 + 12 * number)
        yield from range(first, last + 1)

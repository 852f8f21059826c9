"""Compile the texts of other languages: `python -m ir_portal.catalogs` after a change to a .po file.

GNU gettext is asked for nowhere: a .po of ours is entries of msgid and msgstr in quotes, without plurals or contexts,
and a .mo is a table of them. Both are kept in the repository, and a test compares them.
"""

import ast
import struct
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "locale"
MAGIC, HEADER = 0x950412DE, 28


def read_po(path: Path) -> dict[str, str]:
    """Message by message, the header under the empty one. Raises ValueError, with the line, at what is none of ours."""
    found: dict[str, str] = {}
    said = {"msgid": "", "msgstr": ""}
    now = ""
    for number, line in enumerate([*path.read_text(encoding="utf-8").splitlines(), 'msgid ""'], start=1):
        keyword, _, text = line.partition(" ") if not line.startswith('"') else (now, "", line)
        if not line.strip() or line.startswith("#"):
            continue
        if keyword not in said:
            raise ValueError(f"{path}, line {number}: {keyword} is not known here.")
        if keyword == "msgid" and now == "msgstr" and not line.startswith('"'):
            if said["msgid"] in found:
                raise ValueError(f"{path}, line {number}: the message before is there twice.")
            found[said["msgid"]] = said["msgstr"]
            said = {"msgid": "", "msgstr": ""}
        now = keyword
        said[keyword] += ast.literal_eval(text)
    return found


def compiled(messages: Mapping[str, str]) -> bytes:
    """The .mo file, version 0, little-endian, without a hash table: messages sorted, texts ended by NUL."""
    pairs = sorted((source.encode(), target.encode()) for source, target in messages.items() if target)
    count = len(pairs)
    at = HEADER + 16 * count
    tables, texts = [b"", b""], b""
    for column in (0, 1):
        for pair in pairs:
            tables[column] += struct.pack("<II", len(pair[column]), at + len(texts))
            texts += pair[column] + b"\0"
    head = struct.pack("<7I", MAGIC, 0, count, HEADER, HEADER + 8 * count, 0, at)
    return head + tables[0] + tables[1] + texts


if __name__ == "__main__":
    for source in FOLDER.rglob("*.po"):
        source.with_suffix(".mo").write_bytes(compiled(read_po(source)))

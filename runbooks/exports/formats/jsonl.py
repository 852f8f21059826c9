"""JSON Lines: the first line says what the export is, each other line is an entry as docs/schema/ has it."""

from typing import BinaryIO

from runbooks.exports.formats.base import Format, Source, dumped


def write(out: BinaryIO, source: Source) -> None:
    out.write(dumped({"about": source.about.as_json()}) + b"\n")
    for part in source.lines():
        out.write(b"\n".join(part) + b"\n")


JSONL = Format(
    slug="jsonl",
    label="JSON Lines",
    purpose="For scripts and large incidents: one entry a line, everything of it, read in constant memory.",
    suffix=".jsonl",
    media_type="application/jsonl",
    write=write,
)

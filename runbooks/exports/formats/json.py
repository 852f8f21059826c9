"""JSON: one object with `about` and `entries`, as docs/schema/entries.schema.json has it."""

from typing import BinaryIO

from runbooks.exports.formats.base import Format, Source, dumped


def write(out: BinaryIO, source: Source) -> None:
    out.write(b'{"about":' + dumped(source.about.as_json()) + b',\n"entries":[')
    between = b"\n"
    for part in source.lines():
        out.write(between + b",\n".join(part))
        between = b",\n"
    out.write(b"\n]}\n")


JSON = Format(
    slug="json",
    label="JSON",
    purpose="For other programs: one file with everything of each entry, by a published schema.",
    suffix=".json",
    media_type="application/json",
    write=write,
)

"""PDF read back: its words, its structure, its fonts, and what a validator has against it."""

import io
import re
from collections.abc import Iterator
from typing import Any, Final

from page import validate_pdf_bytes
from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject

# Everybody can read it, by ISO 14289-1; it can be read for as long as there are computers, by ISO 19005-2.
STANDARDS: Final = ("ua1", "2a")
# The validator takes the last byte of a stream for the end of a line where it is a carriage return: looked at here.
LENGTH: Final = "PDFA2A-STREAM-LENGTH-001"
STREAM: Final = re.compile(rb"/Length (\d+)[^<>]*>>\s*stream\r?\n")


def read(pdf: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(pdf))


def words(pdf: PdfReader) -> str:
    """All its text on one line: a line's end says nothing."""
    return " ".join(" ".join(page.extract_text() for page in pdf.pages).split())


def elements(node: Any) -> Iterator[DictionaryObject]:
    """Every element of the structure, depth first."""
    node = node.get_object()
    if isinstance(node, ArrayObject):
        for child in node:
            yield from elements(child)
    elif isinstance(node, DictionaryObject):
        if "/S" in node:
            yield node
        yield from elements(node.get("/K", ArrayObject()))


def structure(pdf: PdfReader) -> list[DictionaryObject]:
    return list(elements(pdf.trailer["/Root"]["/StructTreeRoot"]["/K"]))


def headings(pdf: PdfReader) -> list[str]:
    """The bookmarks, those within others indented."""

    def walk(entries: list[Any], depth: int) -> Iterator[str]:
        for entry in entries:
            if isinstance(entry, list):
                yield from walk(entry, depth + 1)
            else:
                yield "  " * depth + str(entry.title)

    return list(walk(pdf.outline, 0))


def fonts(pdf: PdfReader) -> Iterator[DictionaryObject]:
    for page in pdf.pages:
        for entry in page["/Resources"]["/Font"].values():
            yield entry.get_object()


def faults(pdf: PdfReader) -> list[str]:
    """Which rules of PDF/UA-1 and PDF/A-2a it breaks."""
    raw = bytes(pdf.stream.getbuffer())
    found = {one.rule_id: one.message for name in STANDARDS for one in validate_pdf_bytes(raw, profile=name).failures}
    found.pop(LENGTH, None)
    for stream in STREAM.finditer(raw):
        if not re.compile(rb"\r?\n?endstream").match(raw, stream.end() + int(stream[1])):
            found[LENGTH] = f"the stream at byte {stream.start()} has another length than it says"
    return [f"{rule}: {message}" for rule, message in sorted(found.items())]

"""PDF read back: its words, its structure, its fonts."""

import io
from collections.abc import Iterator
from typing import Any

from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject


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

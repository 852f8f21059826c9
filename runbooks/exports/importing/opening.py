"""The files entries come as: CSV with a header row, plaso's l2tcsv, JSON Lines."""

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from io import TextIOWrapper
from itertools import islice
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

from runbooks.directory.formats import BrokenFileError, CsvFile
from runbooks.directory.formats.encoding import detect_encoding
from runbooks.directory.formats.rows import check_columns

# plaso quotes nothing: a delimiter in a value was replaced when it was written.
L2T: Final = (
    "date,time,timezone,MACB,source,sourcetype,type,user,host,short,desc,version,filename,inode,notes,format,extra"
)
LETTERS_AT_MOST: Final = 200_000
# The names of a JSON Lines file are those of its first lines.
SAMPLE: Final = 200


class Raw(NamedTuple):
    """A line of the file: what its columns hold, or why it cannot be read. `number` counts from 1."""

    number: int
    fields: dict[str, str]
    reason: str = ""


class EntriesFile(Protocol):
    """A file of entries. `format` is csv, l2tcsv or jsonl; `columns` are its names, in their order."""

    format: str
    columns: list[str]

    def lines(self) -> Generator[Raw, None, None]:
        """Each line that says anything. Raises BrokenFileError where nothing after it can be trusted. Whoever stops
        before the end closes it while the file is still open.
        """


class Csv:
    format = "csv"

    def __init__(self, file: BinaryIO) -> None:
        self._file = CsvFile(file)
        self.columns = self._file.columns

    def lines(self) -> Generator[Raw, None, None]:
        told = 0
        for number, record in self._file.records():
            kept = self._file.rejections.kept
            yield from (Raw(one.line, {}, one.reason) for one in kept[told:])
            told = len(kept)
            yield Raw(number, {name: value for name, value in record.items() if value})
        yield from (Raw(one.line, {}, one.reason) for one in self._file.rejections.kept[told:])


class L2tCsv:
    format = "l2tcsv"

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._encoding = file, detect_encoding(file)
        self.columns = L2T.split(",")

    def lines(self) -> Generator[Raw, None, None]:
        width = len(self.columns)
        for number, text in _texts(self._file, self._encoding):
            values = text.split(",")
            if number == 1 or not text:
                continue
            if len(values) != width:
                yield Raw(number, {}, f"has {len(values)} values where the header has {width}")
            else:
                yield Raw(number, {name: value for name, value in zip(self.columns, values, strict=True) if value})


class JsonLines:
    format = "jsonl"

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._encoding = file, detect_encoding(file)
        with closing(self.lines()) as lines:
            sample = list(islice(lines, SAMPLE))
        self.columns = list(dict.fromkeys(name for line in sample for name in line.fields))
        check_columns(1, self.columns)
        if sample and all(line.reason for line in sample):
            raise BrokenFileError(sample[0].number, f"it {sample[0].reason}. Export JSON Lines: one object a line")

    def lines(self) -> Generator[Raw, None, None]:
        for number, text in _texts(self._file, self._encoding):
            if text.strip():
                yield _json_line(number, text)


class _TwiceError(ValueError):
    """An object names something twice; the first of the two would be lost."""


def open_entries(file: BinaryIO) -> EntriesFile:
    """The reader for the file's content; its name says nothing. Raises BrokenFileError."""
    encoding = detect_encoding(file)
    opening = file.read(4096).decode(encoding, errors="ignore").lstrip("\ufeff \t\r\n")
    file.seek(0)
    if opening.startswith(("{", "[")):
        return JsonLines(file)
    if opening.startswith(L2T):
        return L2tCsv(file)
    return Csv(file)


def _texts(file: BinaryIO, encoding: str) -> Iterator[tuple[int, str]]:
    file.seek(0)
    text = TextIOWrapper(file, encoding=encoding)
    try:
        number = 0
        while line := text.readline(LETTERS_AT_MOST):
            number += 1
            if len(line) == LETTERS_AT_MOST:
                raise BrokenFileError(number, f"it is longer than {LETTERS_AT_MOST:,} characters")
            yield number, line.rstrip("\r\n").removeprefix("\ufeff")
    finally:
        text.detach()


def _json_line(number: int, text: str) -> Raw:
    """Numbers stay as they were written: what reads a long one as another number changes what the file said."""
    try:
        # Infinity and NaN are no JSON, and many write them.
        found = json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_once)
    except _TwiceError as error:
        return Raw(number, {}, str(error))
    except (ValueError, RecursionError):
        return Raw(number, {}, "is no JSON object")
    if not isinstance(found, dict):
        return Raw(number, {}, "is no JSON object")
    texts = {name: _text(value) for name, value in found.items()}
    return Raw(number, {name: value for name, value in texts.items() if value})


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwiceError("names something twice in one object")
    return found


def _text(value: object) -> str:
    if value is None or value in ({}, []):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

"""A directory as comma, semicolon or tab separated values with a header row."""

import csv
from collections.abc import Iterator
from io import TextIOWrapper
from typing import BinaryIO, Final

from runbooks.directory.formats.encoding import BrokenFileError, detect_encoding
from runbooks.directory.formats.rows import Record, Rejections, check_columns

DELIMITERS: Final = ",;\t"


class CsvFile:
    """Reads a CSV file row by row. `columns` are the header's names, made unique; `rejections` fills on the way."""

    name = "csv"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.encoding = detect_encoding(file)
        self.rejections = Rejections()
        self.passed_over = 0
        self._delimiter, self._skipped = self._look()
        self.columns = self._header()

    def records(self) -> Iterator[Record]:
        """(line, {column: value}) of each row, values as written. Raises BrokenFileError where the file breaks."""
        self.rejections = Rejections()
        width, columns = len(self.columns), self.columns
        misfit: tuple[int, list[str]] | None = None
        for line, values in self._rows(skip_header=True):
            if misfit:
                self._refuse(*misfit)
                misfit = None
            if len(values) == width:
                yield line, dict(zip(columns, values, strict=True))
            elif any(values):
                misfit = line, values
        if misfit:
            line, values = misfit
            # A short last row without a line end is the mark of a file that was cut off.
            if len(values) < width and self._has_open_end():
                found = f"after {len(values)} of {width} values"
                raise BrokenFileError(line, f"the file ends in the middle of a row, {found}")
            self._refuse(line, values)

    def _refuse(self, line: int, values: list[str]) -> None:
        reason = f"has {len(values)} values where the header has {len(self.columns)}"
        self.rejections.add(line, reason, (value.strip() for value in values))

    def _text(self) -> TextIOWrapper:
        self._file.seek(0)
        return TextIOWrapper(self._file, encoding=self.encoding, newline="")

    def _look(self) -> tuple[str, int]:
        """The delimiter, and how many lines stand before the header: Excel may begin with one that says `sep=;`."""
        text = self._text()
        try:
            first = text.readline(1 << 20)
            if first.lower().startswith("sep=") and len(first.strip()) == 5:
                return first[4], 1
        finally:
            text.detach()
        outside = "".join(first.split('"')[::2])
        return max(DELIMITERS, key=outside.count), 0

    def _rows(self, *, skip_header: bool) -> Iterator[tuple[int, list[str]]]:
        text = self._text()
        reader = csv.reader(text, delimiter=self._delimiter, strict=True)
        line = 1
        try:
            for number, values in enumerate(reader):
                if number >= self._skipped + skip_header:
                    yield line, values
                line = reader.line_num + 1
        except csv.Error as error:
            raise BrokenFileError(line, _reason(error)) from error
        finally:
            text.detach()

    def _header(self) -> list[str]:
        line, values = next(self._rows(skip_header=False), (1, []))
        if not any(value.strip() for value in values):
            raise BrokenFileError(line, "it has no header row")
        check_columns(line, values)
        columns: list[str] = []
        for position, value in enumerate(values, start=1):
            name = " ".join(value.split()) or f"column {position}"
            columns.append(f"{name} ({position})" if name in columns else name)
        return columns

    def _has_open_end(self) -> bool:
        self._file.seek(0, 2)
        size = self._file.tell()
        self._file.seek(max(0, size - 4))
        return not self._file.read().rstrip(b"\x00").endswith((b"\n", b"\r"))


def _reason(error: csv.Error) -> str:
    words = str(error)
    if "unexpected end of data" in words:
        return "a quotation mark opens here and is never closed"
    if "field limit" in words:
        return "a value is longer than 131,072 characters; most likely a quotation mark is never closed"
    if "expected after" in words:
        return "a quoted value is followed by text instead of a delimiter"
    return words

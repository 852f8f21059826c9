"""A line of a file as an entry: one that says where it came from, and that somebody else saw it."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import rfc8785

from runbooks.exports.formats.cells import unguard
from runbooks.exports.importing.columns import TOOLS
from runbooks.exports.importing.moments import BadMomentError, Clockwork, Read, read_moment
from runbooks.exports.importing.opening import EntriesFile, Raw
from runbooks.exports.queries.imported import ONE, Known
from runbooks.timeline.models import Lane, Precision
from runbooks.timeline.moments import AHEAD
from runbooks.timeline.operations import SUMMARY_MAX, Entry

NEW, ALREADY, WRONG = "new", "already", "wrong"
LINES_AT_MOST: Final = 100_000
FIELDS_AT_MOST: Final = 128 * 1024
SAID_BY_MAX: Final = 160
# The last line of our own exports is no entry.
ABOUT: Final = "export.about"
OUR_GUARDED: Final = frozenset({"sequence", "kind", "lane", "hash"})
CUT: Final = " ..."


class TooManyLinesError(ValueError):
    """The file has more lines than are read at once."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The file that lines come from, as each entry keeps it. `file` is its number in the incident, 0 where none."""

    file: int
    name: str
    sha256: str
    source: str


@dataclass(frozen=True, slots=True)
class Choices:
    """How a file is read: the tool, {column: field}, what its times leave open, and the lane where it names none."""

    tool: str
    columns: Mapping[str, str]
    clockwork: Clockwork = field(default_factory=Clockwork)
    lane: str = Lane.NOTE


@dataclass(frozen=True, slots=True)
class Line:
    """A line, and what becomes of it: `entry` where it is new, `reason` where it is wrong. `mark` knows it again."""

    number: int
    verdict: str
    summary: str = ""
    reason: str = ""
    mark: str = ""
    entry: Entry | None = None


class _WrongError(ValueError):
    """Completes "Line 12 ..."."""


@dataclass(slots=True)
class Lines:
    """The file under the choices, beside what the incident holds. `passed_over` are lines that tell of the file."""

    file: EntriesFile
    origin: Origin
    choices: Choices
    known: Known
    now: datetime
    passed_over: int = 0
    _seen: Counter[bytes] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Line]:
        """Every line once, in order. Raises BrokenFileError, TooManyLinesError."""
        self._seen.clear()
        self.passed_over = 0
        is_guarded = self.file.format == "csv" and set(self.file.columns) >= OUR_GUARDED
        with closing(self.file.lines()) as raws:
            for count, raw in enumerate(raws):
                if count == LINES_AT_MOST:
                    raise TooManyLinesError(f"The file has more than {LINES_AT_MOST:,} lines. Split it.")
                if not raw.reason and (raw.fields.get("kind") == ABOUT or raw.fields.keys() == {"about"}):
                    self.passed_over += 1
                else:
                    yield self._line(_unguarded(raw) if is_guarded else raw)

    def _line(self, raw: Raw) -> Line:
        if raw.reason:
            return Line(raw.number, WRONG, reason=raw.reason)
        summary = self._text(raw, "summary") or self._text(raw, "more")
        try:
            _check(raw.fields)
            mark = self._mark(raw.fields)
            if self.known.holds(raw.number, mark):
                return Line(raw.number, ALREADY, _cut(summary, 200), mark=mark)
            return Line(raw.number, NEW, _cut(summary, 200), mark=mark, entry=self._entry(raw, mark))
        except (_WrongError, BadMomentError) as error:
            return Line(raw.number, WRONG, _cut(summary, 200), str(error))

    def _mark(self, fields: Mapping[str, str]) -> str:
        """The same line again is another event; the same line of the same file or of a later one is not."""
        content = hashlib.sha256(rfc8785.dumps({"source": self.origin.source, "fields": dict(fields)})).digest()
        self._seen[content] += 1
        return hashlib.sha256(content + self._seen[content].to_bytes(4, "big")).hexdigest()

    def _entry(self, raw: Raw, mark: str) -> Entry:
        written = self._text(raw, "occurred_at")
        read = read_moment(written, self._text(raw, "time"), self._text(raw, "zone"), self.choices.clockwork)
        if read.at > self.now + AHEAD:
            raise _WrongError(f"lies in the future: {written}")
        texts = [text for text in (self._text(raw, "summary"), self._text(raw, "more")) if text]
        if not texts:
            raise _WrongError("says nothing of what happened")
        return Entry(
            ONE,
            _cut(": ".join(texts), SUMMARY_MAX),
            self._lane(raw),
            self._details(raw, mark, read),
            occurred_at=read.at,
            precision=self._precision(raw, read),
        )

    def _details(self, raw: Raw, mark: str, read: Read) -> dict[str, Any]:
        origin = self.origin
        details: dict[str, Any] = {
            "import": {
                "file": origin.file,
                "name": origin.name,
                "sha256": origin.sha256,
                "line": raw.number,
                "tool": TOOLS[self.choices.tool].label,
                "source": origin.source,
                "digest": mark,
            },
            "fields": raw.fields,
        }
        if said_by := self._text(raw, "said_by"):
            details["said_by"] = said_by[:SAID_BY_MAX]
        if read.zone:
            details["zone_stated"] = read.zone
        if read.was_twice:
            details["of_the_two"] = self.choices.clockwork.twice
        return details

    def _lane(self, raw: Raw) -> Lane:
        said = self._text(raw, "lane").lower()
        return Lane(said if said in Lane.values else self.choices.lane)

    def _precision(self, raw: Raw, read: Read) -> Precision:
        said = self._text(raw, "precision").lower()
        return Precision(said) if said in Precision.values else read.precision

    def _text(self, raw: Raw, field: str) -> str:
        column = next((column for column, fills in self.choices.columns.items() if fills == field), "")
        return raw.fields.get(column, "").strip()


def _unguarded(raw: Raw) -> Raw:
    return raw._replace(fields={name: unguard(value) for name, value in raw.fields.items()})


def _check(fields: Mapping[str, str]) -> None:
    """Refuse what the database or the seal would not give back as it was."""
    size = 0
    for text in (part for pair in fields.items() for part in pair):
        if "\0" in text:
            raise _WrongError("holds a NUL character")
        try:
            size += len(text.encode())
        except UnicodeEncodeError:
            raise _WrongError("holds half a character") from None
    if size > FIELDS_AT_MOST:
        raise _WrongError(f"is longer than {FIELDS_AT_MOST // 1024} KB")


def _cut(text: str, most: int) -> str:
    """The whole text stays in the fields."""
    return text if len(text) <= most else text[: most - len(CUT)].rstrip() + CUT

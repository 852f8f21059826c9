"""What the readers hand over: records by line, and the rows they refuse."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from runbooks.directory.formats.encoding import BrokenFileError

# Exports of directories have some dozens of columns; every one is a line of the mapping that somebody looks through.
COLUMNS_MAX, COLUMN_NAME_MAX = 500, 200
Record = tuple[int, dict[str, str]]
KEPT: Final = 10_000
# Stands for a value of bytes that are no text; a row that needs it is refused, any other ignores it.
NOT_TEXT: Final = "\x00"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One row that is not used. `line` counts from 1; `reason` completes "Line 12: ..."."""

    line: int
    reason: str


@dataclass(slots=True)
class Rejections:
    """All are counted; the first 10,000 are kept with their reasons.

    `named` is what the rows held that may be a login: an account that the file names, if only in a row that cannot be
    used, is not gone.
    """

    total: int = 0
    kept: list[Rejection] = field(default_factory=list)
    named: list[str] = field(default_factory=list)

    def add(self, line: int, reason: str, named: Iterable[str] = ()) -> None:
        self.total += 1
        self.named.extend(value for value in named if value and "\x00" not in value)
        if len(self.kept) < KEPT:
            self.kept.append(Rejection(line, reason))


def check_columns(line: int, names: Collection[str]) -> None:
    """Refuse a header that cannot be one, and names that the database would not keep."""
    if len(names) > COLUMNS_MAX:
        raise BrokenFileError(line, f"it has {len(names):,} columns, and {COLUMNS_MAX} are the most")
    if any(len(name) > COLUMN_NAME_MAX for name in names):
        raise BrokenFileError(line, f"the name of a column is longer than {COLUMN_NAME_MAX} characters")
    if any(not mark.isprintable() and not mark.isspace() for name in names for mark in name):
        raise BrokenFileError(line, "the name of a column holds a control character")

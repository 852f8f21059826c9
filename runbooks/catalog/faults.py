"""What is wrong with a definition, and where: collected while it is read, so that an author sees all of it at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from runbooks.catalog.source_lines import Path, line_of
from runbooks.errors import DomainError, NotFoundError


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class RunbookError(DomainError):
    """A definition cannot be used; `faults` has every reason."""

    def __init__(self, message: str, faults: Iterable[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class UnknownRunbookError(RunbookError, NotFoundError):
    pass


class FaultList:
    """The faults of one file, each at the line where the thing it names stands."""

    def __init__(self, file: str, lines: dict[Path, int]) -> None:
        self._file = file
        self._lines = lines
        self._faults: set[Fault] = set()

    def add(self, path: Path, reason: str) -> None:
        self._faults.add(Fault(self._file, self.line(path), reason))

    def line(self, path: Path) -> int:
        return line_of(self._lines, path)

    def sorted(self) -> tuple[Fault, ...]:
        return tuple(sorted(self._faults))


def quoted(words: Iterable[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)

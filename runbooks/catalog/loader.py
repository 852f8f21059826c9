"""Loads the runbooks: one TOML file each, in `definitions/`."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from runbooks.catalog.definition import Runbook, sealed
from runbooks.catalog.faults import Fault, FaultList, RunbookError, UnknownRunbookError, quoted
from runbooks.catalog.reading import numbered, read_runbook
from runbooks.catalog.soundness import check_soundness
from runbooks.catalog.source_lines import source_lines

DEFINITIONS = Path(__file__).parent / "definitions"
_PARSER_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one file came to: a runbook, or the reasons why there is none."""

    runbook: Runbook | None
    faults: tuple[Fault, ...]


def definition_files() -> tuple[Path, ...]:
    return tuple(sorted(DEFINITIONS.glob("*.toml")))


def read_file(path: Path) -> Reading:
    """Read and check one definition. Nothing about the file's content raises: it becomes a fault."""
    file = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        return Reading(None, (Fault(file, 1, f"The file cannot be read: {error.strerror}."),))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return Reading(None, (Fault(file, line, "The file is not UTF-8. Save it as UTF-8."),))
    return read_text(text, file=file, name=path.stem)


def read_text(text: str, *, file: str, name: str) -> Reading:
    """Check a definition's text; `file` is what faults are reported under, `name` what its slug must be."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Reading(None, (_syntax_fault(str(error), text, file),))
    faults = FaultList(file, source_lines(text))
    runbook = read_runbook(values, faults)
    if runbook.slug and runbook.slug != name:
        faults.add(("slug",), f'The slug is "{runbook.slug}" and the file is named "{name}". Make them the same.')
    check_soundness(runbook, faults)
    found = faults.sorted()
    return Reading(None if found else sealed(numbered(runbook)), found)


@cache
def all_runbooks() -> tuple[Runbook, ...]:
    """Every runbook, by title. Raises RunbookError with all faults of all files when any has one."""
    readings = [read_file(path) for path in definition_files()]
    if faults := [fault for reading in readings for fault in reading.faults]:
        listed = "\n".join(str(fault) for fault in faults)
        raise RunbookError(f"The runbooks cannot be used until these faults are mended:\n{listed}", faults)
    return tuple(sorted((r.runbook for r in readings if r.runbook), key=lambda runbook: runbook.title))


def load(slug: str) -> Runbook:
    """The runbook of that slug. Raises UnknownRunbookError when there is none."""
    for runbook in all_runbooks():
        if runbook.slug == slug:
            return runbook
    slugs = quoted(sorted(runbook.slug for runbook in all_runbooks()))
    raise UnknownRunbookError(f'There is no runbook "{slug}". There are {slugs}.')


def _syntax_fault(message: str, text: str, file: str) -> Fault:
    """The parser says where in its message only."""
    found = _PARSER_LINE.search(message)
    last = max(1, len(text.splitlines()))
    line = int(found[1]) if found and found[1] else last
    reason = _PARSER_LINE.sub("", message)
    return Fault(file, line, f"This is not TOML: {reason[:1].lower()}{reason[1:]}.")

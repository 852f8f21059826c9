"""Entries of other tools into the timeline: the file is kept as evidence, its lines become entries in their own right.

Each run of up to 1,000 lines is one transaction with an entry that says so; whatever stops it, going on adds the rest.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO, Final, cast
from uuid import UUID

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.attachments.models import Attachment
from runbooks.attachments.operations import attach_file
from runbooks.attachments.queries import attachment_for
from runbooks.attachments.storing import digest_of
from runbooks.errors import DomainError
from runbooks.exports.importing.columns import TOOLS, guess, problems, tool_of
from runbooks.exports.importing.lines import ALREADY, NEW, WRONG, Choices, Line, Lines, Origin, TooManyLinesError
from runbooks.exports.importing.opening import EntriesFile, open_entries
from runbooks.exports.queries.imported import MANY, Known, source_of
from runbooks.incidents.operations import lock
from runbooks.presentation import number, plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record, record_many

BYTES_AT_MOST: Final = 50_000_000
CHUNK: Final = 1000
SOURCE_MAX: Final = 160
SHOWN: Final = 50


class CannotImportError(DomainError):
    """The file, or how it is to be read, does not do."""

    status = 400


@dataclass(frozen=True, slots=True)
class Preview:
    """What importing would do. `shown` are lines of one verdict behind the one asked for; `following` if more do."""

    new: int
    already: int
    wrong: int
    passed_over: int
    taken_out: int
    shown: list[Line]
    following: int | None


@dataclass(frozen=True, slots=True)
class Imported:
    """What was added now, and what is left for the next time."""

    added: int
    already: int
    wrong: int
    left: int


def stage_entries(*, incident_id: UUID, upload: "File[Any]", actor: Actor, at: datetime) -> Attachment:
    """Keep the file as evidence of the incident; one with the same bytes is not kept twice. Raises BrokenFileError."""
    require(actor, "import_entries", incident_id)
    if (upload.size or 0) > BYTES_AT_MOST:
        raise CannotImportError(f"The file is over {BYTES_AT_MOST // 1_000_000} MB. Split it.")
    upload.seek(0)
    open_entries(cast(BinaryIO, upload.file))
    upload.seek(0)
    sha256 = hashlib.sha256()
    for part in upload.chunks():
        sha256.update(part)
    there = Attachment.objects.filter(incident_id=incident_id, stored__sha256=sha256.hexdigest()).order_by("number")
    if known := there.select_related("stored").first():
        return known
    upload.seek(0)
    return attach_file(incident_id=incident_id, upload=upload, note="Entries to import", actor=actor, at=at)


def suggested(file: EntriesFile, tool: str = "") -> Choices:
    """What a file's columns say by themselves."""
    tool = tool if tool in TOOLS else tool_of(file.columns)
    return Choices(tool, guess(file.columns, tool))


def preview(lines: Lines, *, verdict: str = "", after: int = 0) -> Preview:
    """Read the whole file. Raises BrokenFileError, CannotImportError."""
    counts = {NEW: 0, ALREADY: 0, WRONG: 0}
    shown: list[Line] = []
    for line in _each(lines):
        counts[line.verdict] += 1
        if line.verdict == verdict and line.number > after and len(shown) <= SHOWN:
            shown.append(line)
    return Preview(
        new=counts[NEW],
        already=counts[ALREADY],
        wrong=counts[WRONG],
        passed_over=lines.passed_over,
        taken_out=lines.known.taken_out,
        shown=shown[:SHOWN],
        following=shown[SHOWN - 1].number if len(shown) > SHOWN else None,
    )


@contextmanager
def kept_file(incident_id: UUID, file_number: int) -> Iterator[tuple[EntriesFile, Attachment]]:
    """The kept file, open. Raises NotFoundError, BrokenFileError, and CannotImportError where it is another by now."""
    attachment = attachment_for(incident_id, file_number)
    stored = attachment.stored
    if stored.size > BYTES_AT_MOST:
        raise CannotImportError(f"The file is over {BYTES_AT_MOST // 1_000_000} MB. Split it.")
    try:
        is_whole = digest_of(stored.name)[0] == stored.sha256
    except FileNotFoundError:
        is_whole = False
    if not is_whole:
        raise CannotImportError("The kept file is not the one that was attached. Attach it again.")
    with default_storage.open(stored.name, "rb") as kept:
        yield open_entries(cast(BinaryIO, kept.file)), attachment


def lines_of(
    incident_id: UUID, file: EntriesFile, attachment: Attachment, choices: Choices, source: str, now: datetime
) -> Lines:
    """The lines of a kept file beside what the incident holds."""
    sha256 = attachment.stored.sha256
    source = source_of(incident_id, sha256) or " ".join(source.split())[:SOURCE_MAX] or attachment.name
    known = Known(incident_id, sha256)
    known.refresh()
    return Lines(file, Origin(attachment.number, attachment.name, sha256, source), choices, known, now)


def import_entries(
    *,
    incident_id: UUID,
    file_number: int,
    choices: Choices,
    source: str = "",
    actor: Actor,
    clock: Callable[[], datetime],
    at_most: int | None = None,
) -> Imported:
    """Add the lines of an attached file that are not there yet, a transaction each 1,000; at most so many."""
    require(actor, "import_entries", incident_id)
    if wrong := problems(choices.columns):
        raise CannotImportError(" ".join(wrong))
    if choices.tool not in TOOLS or choices.lane not in Lane.values:
        raise CannotImportError("Choose the tool and the kind of entry from the lists.")
    added = 0
    counts = {NEW: 0, ALREADY: 0, WRONG: 0}
    with kept_file(incident_id, file_number) as (file, attachment):
        lines = lines_of(incident_id, file, attachment, choices, source, clock())

        def new() -> Generator[Line, None, None]:
            for line in _each(lines):
                counts[line.verdict] += 1
                if line.entry is not None and (at_most is None or counts[NEW] <= at_most):
                    yield line

        with closing(new()) as rest:
            while part := list(islice(rest, CHUNK)):
                added += _add(incident_id=incident_id, part=part, lines=lines, actor=actor, at=clock())
    taken = counts[NEW] if at_most is None else min(counts[NEW], at_most)
    return Imported(added, counts[ALREADY] + taken - added, counts[WRONG], counts[NEW] - taken)


@transaction.atomic
def _add(*, incident_id: UUID, part: Sequence[Line], lines: Lines, actor: Actor, at: datetime) -> int:
    """One run. Under the lock it is asked again what is there: somebody may import the same file at this moment."""
    require(actor, "import_entries", incident_id)
    incident = lock(incident_id)
    lines.known.refresh()
    new = [line for line in part if not lines.known.holds(line.number, line.mark)]
    if not new:
        return 0
    first = incident.head_sequence + 1
    record_many(incident, [line.entry for line in new if line.entry], actor=actor, at=at, as_burst=False)
    origin, tool = lines.origin, TOOLS[lines.choices.tool].label
    last = incident.head_sequence
    said = f"{plural(len(new), 'entry', 'entries')} imported from file {origin.file}, “{origin.name}” ({tool})"
    details = {
        "import": {
            "file": origin.file, "name": origin.name, "sha256": origin.sha256, "tool": tool, "source": origin.source
        },
        "lines": _ranges([line.number for line in new]),
        "entries": [first, last],
        "columns": {column: field for column, field in lines.choices.columns.items() if field},
    }  # fmt: skip
    where = f"lines {number(new[0].number)} to {number(new[-1].number)}, as #{number(first)} to #{number(last)}"
    record(incident, Entry(MANY, f"{said}: {where}.", Lane.NOTE, details), actor=actor, at=at)
    return len(new)


def _each(lines: Lines) -> Iterator[Line]:
    try:
        yield from lines
    except TooManyLinesError as error:
        raise CannotImportError(str(error)) from error


def _ranges(numbers: Sequence[int]) -> list[list[int]]:
    """[[2, 7], [9, 9]]: lines that were left out are in none."""
    ranges: list[list[int]] = []
    for one in numbers:
        if ranges and ranges[-1][1] == one - 1:
            ranges[-1][1] = one
        else:
            ranges.append([one, one])
    return ranges

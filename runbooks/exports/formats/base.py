"""The one contract of all formats: a name, what it is for, and a function that writes what it is given to a stream."""

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO, Final
from uuid import UUID

from runbooks.exports.keys import Held
from runbooks.exports.queries.entries import ENTRY, Entries
from runbooks.presentation import number, plural
from runbooks.timeline.seal import instant

SCHEMA: Final = 1
# So many entries at a time are written, and told of.
BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """What an export says of its incident. Labels are as the pages say them."""

    id: UUID
    reference: str
    title: str
    severity: int
    severity_label: str
    tlp: str
    status: str
    status_label: str
    is_exercise: bool
    detected_at: datetime
    declared_at: datetime
    contained_at: datetime | None
    closed_at: datetime | None
    time_zone: str


@dataclass(frozen=True, slots=True)
class About:
    """What each file says of itself. `filter` is the timeline page's query, `filter_words` the same in words."""

    number: str
    incident: IncidentFacts
    filter: Mapping[str, str]
    filter_words: str
    order: str
    entries: int
    left_out: int
    head_sequence: int
    head_hash: str
    exported_at: datetime
    exported_by: str
    purpose: str

    @property
    def range(self) -> str:
        return f"#1 to #{number(self.head_sequence)}" if self.head_sequence else "nothing"

    @property
    def sentence(self) -> str:
        """For formats that hold nothing but entries."""
        left = f"{plural(self.left_out, 'entry', 'entries')} left out by the filter: {self.filter_words}"
        return (
            f"Export {self.number} of {self.incident.reference}, by {self.exported_by}: "
            f"{plural(self.entries, 'entry', 'entries')} of {self.range}, "
            f"{left if self.filter else 'none left out'}. Chain head {self.head_hash}."
        )

    def as_json(self) -> dict[str, Any]:
        """As docs/schema/about.schema.json has it."""
        incident = self.incident
        return {
            "schema": SCHEMA,
            "export": self.number,
            "exported_at": instant(self.exported_at),
            "exported_by": self.exported_by,
            "purpose": self.purpose,
            "filter": dict(self.filter),
            "filter_words": self.filter_words,
            "order": self.order,
            "entries": self.entries,
            "left_out": self.left_out,
            "head": {"sequence": self.head_sequence, "hash": self.head_hash},
            "incident": {
                "id": str(incident.id),
                "reference": incident.reference,
                "title": incident.title,
                "severity": incident.severity,
                "tlp": incident.tlp,
                "status": incident.status,
                "exercise": incident.is_exercise,
                "detected_at": instant(incident.detected_at),
                "declared_at": instant(incident.declared_at),
                "time_zone": incident.time_zone,
            },
        }


def _nobody(done: int) -> None:
    """Who writes in the request has nobody to tell."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a format writes from: one snapshot of the entries. `tell` hears how many of them were written so far.

    `options` are the format's own; `held` is the key, for formats that are signed.
    """

    about: About
    entries: Entries
    options: Mapping[str, Any] = field(default_factory=dict)
    held: Held | None = None
    tell: Callable[[int], None] = _nobody
    _running: list[Generator[bytes, None, None]] = field(default_factory=list)

    def lines(self, expression: str = ENTRY) -> Iterator[list[bytes]]:
        """What the SQL expression gives of each entry, in lists of up to BATCH."""
        rows, done = self.entries.lines(expression), 0
        self._running.append(rows)
        while part := list(islice(rows, BATCH)):
            yield part
            done += len(part)
            self.tell(done)

    def each(self) -> Iterator[dict[str, Any]]:
        """The entries as docs/schema/entry.schema.json has them."""
        for part in self.lines():
            yield from map(json.loads, part)

    def close(self) -> None:
        """End what a format did not read to its end: the connection is free again."""
        for rows in self._running:
            rows.close()

    def telling(self, tell: Callable[[int], None]) -> "Source":
        return replace(self, tell=tell)


@dataclass(frozen=True, slots=True)
class Format:
    """One way to take the timeline away. `purpose` is one line for whoever chooses; `suffix` ends the file's name.

    `write` may only write to the stream, in order: it may be a response or an upload. The same source makes the same
    bytes. `holds_files` says whether the attachments go along; `options` are names of what can be asked for, with their
    labels.
    """

    slug: str
    label: str
    purpose: str
    suffix: str
    media_type: str
    write: Callable[[BinaryIO, Source], None]
    is_signed: bool = False
    holds_files: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


def dumped(value: object) -> bytes:
    """Compact JSON in UTF-8, the names in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def write_listed(out: BinaryIO, items: Iterable[object]) -> None:
    """The items of a JSON list, a line each, without its brackets."""
    rest = iter(items)
    between = b""
    while part := list(islice(rest, BATCH)):
        out.write(between + b",\n".join(map(dumped, part)))
        between = b",\n"

"""An incident's chain as the lines of `chain.jsonl`, and checkpoints as those of `checkpoints.jsonl`."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import rfc8785

from runbooks.timeline.queries.filtering import Where
from runbooks.timeline.seal import GENESIS, instant
from runbooks.timeline.verify import LAST, Link, links

# What a line without content is counted as in the end: left out, unless an entry up to the head redacts it.
BARE, NAMED = 1, 2


class ChainLines:
    """Every entry up to `until`, one canonical JSON line each, read in constant memory (a byte an entry is kept).

    The content stands only where `shown` lets it (conditions on the alias `event`; None shows all) and the sequence is
    not among `withheld`. Once the lines were read, the counts and the head are those of what was read.
    """

    def __init__(
        self, incident_id: UUID, *, until: int = LAST, shown: Where | None = None, withheld: Collection[int] = ()
    ) -> None:
        self.incident_id = incident_id
        self._until = until
        self._shown = shown
        self._withheld = withheld
        self._marks = bytearray()
        self.head_sequence = 0
        self.head_hash = GENESIS

    def __iter__(self) -> Iterator[bytes]:
        self._marks.clear()
        for link in links(self.incident_id, until=self._until, shown=self._shown):
            is_bare = link.salt is None or not link.is_shown or link.sequence in self._withheld
            self._marks.append(BARE if is_bare else 0)
            if link.redacts is not None and link.redacts < len(self._marks):
                self._marks[link.redacts - 1] |= NAMED
            self.head_sequence, self.head_hash = link.sequence, link.hash
            yield line_of(link, with_content=not is_bare)

    @property
    def entries(self) -> int:
        return len(self._marks)

    @property
    def left_out(self) -> int:
        """How many are without content for another reason than a redaction, counted as the verifier counts."""
        return self._marks.count(BARE)

    @property
    def redacted(self) -> int:
        return self._marks.count(BARE | NAMED)


def line_of(link: Link, *, with_content: bool) -> bytes:
    """One line; ValueError where the content holds what could never have been sealed."""
    if not with_content:
        return f'{{"hash":"{link.hash}","record":{link.record}}}\n'.encode()
    return f'{{"content":{link.content},"hash":"{link.hash}","record":{link.record},"salt":"{link.salt}"}}\n'.encode()


def checkpoint_statement(incident_id: UUID, sequence: int, digest: str, time: datetime) -> bytes:
    """The bytes that a checkpoint's signature is over."""
    return rfc8785.dumps({"incident": str(incident_id), "sequence": sequence, "hash": digest, "time": instant(time)})


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint as it leaves the house: `key` is the fingerprint, `signature` armoured."""

    incident_id: UUID
    sequence: int
    hash: str
    time: datetime
    key: str
    signature: str

    @property
    def line(self) -> bytes:
        """One canonical JSON line, for the bundle and for witnesses."""
        fields: dict[str, str | int] = {
            "incident": str(self.incident_id),
            "sequence": self.sequence,
            "hash": self.hash,
            "time": instant(self.time),
            "key": self.key,
            "signature": self.signature,
        }

        return rfc8785.dumps(fields) + b"\n"

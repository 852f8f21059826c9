"""Check an incident's chain in the database: every entry, the head, the redactions, and what checkpoints remember."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from runbooks.incidents.models import Incident
from runbooks.timeline.seal import GENESIS
from runbooks.timeline.verify import Link, fault, links

TELL_EACH = 2000


@dataclass(frozen=True, slots=True)
class Finding:
    """How far the chain is sound. `first_break` is None where all of it is; `what` says what is wrong there.

    `checked` entries were looked at; the last sound one has number `head_sequence` and hash `head_hash`.
    """

    checked: int
    head_sequence: int
    head_hash: str
    first_break: int | None = None
    what: str = ""

    @property
    def is_sound(self) -> bool:
        return self.first_break is None


def check_chain(
    incident_id: UUID,
    *,
    after: int = 0,
    hash_after: str = GENESIS,
    checkpoints: Mapping[int, str] | None = None,
    tell: Callable[[int], None] | None = None,
) -> Finding:
    """Check all entries behind `after` up to the incident's head, in constant memory.

    `hash_after` is the hash of entry `after` as an earlier check kept it. `checkpoints` are hashes by sequence: where a
    signature once said otherwise, the chain was rewritten, however well it agrees with itself.
    `tell` hears every so often how many entries were looked at.
    """
    head = Incident.objects.values_list("head_sequence", "head_hash").get(pk=incident_id)
    walk = _Walk(after, hash_after, checkpoints or {})
    for link in links(incident_id, after=after, until=head[0]):
        if walk.breaks_at(link):
            return walk.finding(link.sequence)
        if tell is not None and (link.sequence - after) % TELL_EACH == 0:
            tell(link.sequence - after)
    return walk.ended(*head)


class _Walk:
    """Where a walk along the chain is. Kept for the end: whose content is gone and no entry has yet said why."""

    def __init__(self, after: int, hash_after: str, checkpoints: Mapping[int, str]) -> None:
        self._after = self._sequence = after
        self._hash = hash_after
        self._checkpoints = checkpoints
        self._unexplained: set[int] = set()
        self._what = ""

    def breaks_at(self, link: Link) -> bool:
        self._what = fault(link, self._sequence + 1, self._hash) or self._against_checkpoint(link)
        if self._what:
            return True
        if link.salt is None:
            self._unexplained.add(link.sequence)
        if link.redacts is not None:
            self._unexplained.discard(link.redacts)
        self._sequence, self._hash = link.sequence, link.hash
        return False

    def _against_checkpoint(self, link: Link) -> str:
        remembered = self._checkpoints.get(link.sequence, link.hash)
        return "" if remembered == link.hash else "a checkpoint remembers another hash"

    def finding(self, broken_at: int | None = None) -> Finding:
        return Finding(self._sequence - self._after, self._sequence, self._hash, broken_at, self._what)

    def ended(self, head_sequence: int, head_hash: str) -> Finding:
        """What is left to see once the last entry was met."""
        last = max(self._checkpoints, default=0)
        if self._sequence < head_sequence or self._sequence < last:
            self._what = f"entry {self._sequence + 1} is missing"
            return self.finding(self._sequence + 1)
        if self._sequence == head_sequence and self._hash != head_hash:
            self._what = "it is not the head that the incident remembers"
            return self.finding(self._sequence)
        if self._unexplained:
            self._what = "its content was taken out without a redaction"
            return self.finding(min(self._unexplained))
        return self.finding()

"""The disclosure copy: a bundle for one holder or a regulator, in which other people's accounts stand under pseudonyms.

The chain keeps every record. Salt and content stand only where an entry names nobody else, so that what is whole can be
checked against its seal; what names others is given in `disclosed.jsonl` with pseudonyms, or withheld where nobody can
tell whether a word is a name. The key of the pseudonyms is made for each copy and kept nowhere: two copies cannot be
laid side by side, and nobody, the portal neither, turns a pseudonym back.

The holder is whom the filter names by `account`; without one it is a regulator's copy, and everybody is an other.
"""

import json
import secrets
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from runbooks.access.permissions import PORTAL
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.errors import DomainError
from runbooks.exports import keys
from runbooks.exports.bundle import BundleFile, Facts, write_bundle
from runbooks.exports.chain import ChainLines
from runbooks.exports.formats.base import BATCH, Format, Source, dumped
from runbooks.exports.formats.bundle import CHUNK, checkpoints_of
from runbooks.exports.pseudonyms import Pseudonyms, Said, people
from runbooks.timeline.verify import Link, links

DISCLOSED: Final = "disclosed.jsonl"
WHOLE, PSEUDONYMISED, WITHHELD = "whole", "pseudonymised", "withheld"
# Written by people, or by other tools, in words of their own: where another person is named, all of it is withheld.
FREE_TEXT: Final = frozenset({"entry.added", "entry.corrected", "entry.imported"})
LEFT: Final = "[withheld: may name somebody]"
STATEMENT: Final = (
    "Other people's accounts stand under pseudonyms made for this copy alone; their key was not kept. Entries without "
    "content in chain.jsonl are in disclosed.jsonl with pseudonyms, or withheld there. Records are sealed and stand as "
    "they are, with who recorded them. What no directory knows, such as a nickname or an extension, cannot be "
    "recognised in what the portal wrote."
)


class NoHolderError(DomainError):
    """The filter names no account, or several."""

    status = 400


@dataclass(slots=True)
class Sequences(Collection[int]):
    """Numbers up to the head, a byte each."""

    marks: bytearray

    def __contains__(self, sequence: object) -> bool:
        return isinstance(sequence, int) and 0 < sequence < len(self.marks) and bool(self.marks[sequence])

    def __iter__(self) -> Iterator[int]:
        return (sequence for sequence, mark in enumerate(self.marks) if mark)

    def __len__(self) -> int:
        return self.marks.count(1)


@dataclass(slots=True)
class Disclosure:
    """How the entries of one copy are told. `counts` are known once `lines` were read."""

    source: Source
    pseudonyms: Pseudonyms
    counts: dict[str, int] = field(default_factory=lambda: {WHOLE: 0, PSEUDONYMISED: 0, WITHHELD: 0})
    others: Sequences = field(init=False)

    def __post_init__(self) -> None:
        self.others = Sequences(bytearray(self.source.about.head_sequence + 1))

    def lines(self) -> Iterator[dict[str, Any]]:
        """Each entry that names somebody else, as it is told. Entries that the filter leaves out are not among them."""
        about, done = self.source.about, 0
        for link in links(about.incident.id, until=about.head_sequence, shown=self.source.entries.shown):
            if link.salt is None or not link.is_shown:
                continue
            done += 1
            if done % BATCH == 0:
                self.source.tell(done // 2)
            told = self._told(link)
            self.counts[told["as"]] += 1
            if told["as"] != WHOLE:
                self.others.marks[link.sequence] = 1
                yield told

    def _told(self, link: Link) -> dict[str, Any]:
        record, said = json.loads(link.record), Said()
        content = {"summary": json.loads(link.summary), "details": json.loads(link.details)}
        content = self.pseudonyms.read(content, said)
        doubtful = said.named if record["actor"] == PORTAL.name else said.doubtful
        if doubtful or (said.replaced and record["kind"] in FREE_TEXT):
            return {"sequence": link.sequence, "as": WITHHELD, "kind": record["kind"]}
        if said.replaced:
            return {"sequence": link.sequence, "as": PSEUDONYMISED, "kind": record["kind"], **content}
        return {"sequence": link.sequence, "as": WHOLE, "kind": record["kind"]}

    def text(self, text: str) -> str:
        """A text that is no entry, such as the title of the incident."""
        said = Said()
        read = self.pseudonyms.read(text, said)
        return LEFT if said.doubtful else str(read)

    def tree(self, value: Any) -> Any:
        """The same of each text in a JSON value."""
        if isinstance(value, dict):
            return {name: self.tree(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self.tree(part) for part in value]
        return self.text(value) if isinstance(value, str) else value


def disclosure_of(source: Source) -> Disclosure:
    """How a copy of this source would be; with a key that nobody has had. Raises NoHolderError."""
    holder = _holder(source)
    return Disclosure(source, Pseudonyms(people(), holder, secrets.token_bytes(32)))


def _holder(source: Source) -> str | None:
    """The login of the one account that the filter names. Half a login that is several would give away the others."""
    named = source.about.filter.get("account", "").strip()
    if not named:
        return None
    rows = AffectedAccount.objects.filter(incident_id=source.about.incident.id)
    exact = list(rows.filter(login__iexact=named).values_list("account__login", flat=True)[:2])
    found = exact or list(rows.filter(login__istartswith=named).values_list("account__login", flat=True)[:2])
    if len(found) != 1:
        several = "several accounts" if found else "no account of this incident"
        raise NoHolderError(f"The filter names {several}. Filter by the whole login of the holder.")
    return str(found[0])


def write(out: BinaryIO, source: Source) -> None:
    about, held = source.about, source.held or keys.held()
    disclosure = disclosure_of(source)
    with tempfile.TemporaryFile() as kept:
        for line in disclosure.lines():
            kept.write(dumped(line) + b"\n")
        kept.seek(0)
        write_bundle(
            out,
            facts=Facts(
                about.incident.reference,
                f"disclosure copy of: {disclosure.text(about.filter_words)}",
                about.exported_at,
                about.exported_by,
                {"export": _about(disclosure), "disclosure": _said(disclosure)},
            ),
            chain=ChainLines(
                about.incident.id,
                until=about.head_sequence,
                shown=source.entries.shown if about.filter else None,
                withheld=disclosure.others,
            ),
            checkpoints=checkpoints_of(about.incident.id, about.head_sequence),
            signers=keys.published(),
            files=[BundleFile(DISCLOSED, iter(lambda: kept.read(CHUNK), b""))],
            sign=held.sign,
        )


def _about(disclosure: Disclosure) -> dict[str, Any]:
    """As other exports say it, without what somebody typed that names others."""
    said = disclosure.source.about.as_json()
    for name in ("purpose", "filter", "filter_words"):
        said[name] = disclosure.tree(said[name])
    said["incident"]["title"] = disclosure.text(said["incident"]["title"])
    return said


def _said(disclosure: Disclosure) -> dict[str, Any]:
    return {"holder": disclosure.pseudonyms.holder, "entries": disclosure.counts, "statement": STATEMENT}


DISCLOSURE: Final = Format(
    slug="disclosure",
    label="Disclosure copy",
    purpose="For one holder (filter by their account) or a regulator: others under pseudonyms, and it still verifies.",
    suffix=".disclosure.zip",
    media_type="application/zip",
    write=write,
    is_signed=True,
)

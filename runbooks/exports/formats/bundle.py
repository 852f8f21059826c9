"""The evidence bundle: one ZIP with the chain, its checkpoints, the attachments and every other format, signed.

Where a filter leaves an entry out, the chain keeps its record and not its content, so that it still verifies. Files
belong to the bundle where an entry that is shown tells of them or holds them.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Final
from uuid import UUID

from django.core.files.storage import default_storage

from runbooks.attachments.models import Attachment
from runbooks.exports import keys
from runbooks.exports.bundle import BundleFile, Facts, write_bundle
from runbooks.exports.chain import ChainLines, SignedCheckpoint
from runbooks.exports.formats.base import Format, Source
from runbooks.exports.models import Checkpoint
from runbooks.exports.operations.checkpoints import sent_form

CHUNK: Final = 64 * 1024
ATTACHMENTS: Final = "attachments"


def evidence_bundle(others: Sequence[Format]) -> Format:
    """The bundle that holds the timeline in these formats."""

    def write(out: BinaryIO, source: Source) -> None:
        _write(out, source, others)

    return Format(
        slug="bundle",
        label="Evidence bundle",
        purpose="For auditors, regulators and courts: everything in one ZIP, signed, checked without the portal.",
        suffix=".zip",
        media_type="application/zip",
        write=write,
        is_signed=True,
        holds_files=True,
    )


def _write(out: BinaryIO, source: Source, others: Sequence[Format]) -> None:
    about, held = source.about, source.held or keys.held()
    listed: list[dict[str, Any]] = []
    write_bundle(
        out,
        facts=Facts(
            about.incident.reference,
            about.filter_words if about.filter else "",
            about.exported_at,
            about.exported_by,
            {"export": about.as_json(), "attachments": listed},
        ),
        chain=ChainLines(
            about.incident.id, until=about.head_sequence, shown=source.entries.shown if about.filter else None
        ),
        checkpoints=checkpoints_of(about.incident.id, about.head_sequence),
        signers=keys.published(),
        files=_files(source, others, listed),
        sign=held.sign,
    )


def checkpoints_of(incident_id: UUID, until: int) -> Iterator[SignedCheckpoint]:
    rows = Checkpoint.objects.filter(incident=incident_id, sequence__lte=until).select_related("key")
    return map(sent_form, rows.order_by("sequence").iterator(chunk_size=1000))


def _files(source: Source, others: Sequence[Format], listed: list[dict[str, Any]]) -> Iterator[BundleFile]:
    """`listed` gets what the manifest says of the attachments."""
    for position, one in enumerate(others, start=1):
        yield _in_format(source, one, position, len(others) + 1)
    numbers = source.entries.files()
    rows = Attachment.objects.select_related("stored").filter(incident=source.about.incident.id, number__in=numbers)
    for attachment in rows.order_by("number").iterator(chunk_size=100):
        yield _attachment(attachment, listed, source)


def _in_format(source: Source, one: Format, position: int, passes: int) -> BundleFile:
    """Written to a file that nobody else sees, then read from there: no format is held in memory."""
    before = position * source.about.entries // passes

    def chunks() -> Iterator[bytes]:
        with tempfile.TemporaryFile() as kept:
            one.write(kept, source.telling(lambda done: source.tell(before + done // passes)))
            kept.seek(0)
            yield from iter(lambda: kept.read(CHUNK), b"")

    return BundleFile(f"timeline{one.suffix}", chunks())


def _attachment(attachment: Attachment, listed: list[dict[str, Any]], source: Source) -> BundleFile:
    """The bytes that the storage has, and whether they are still those that came in."""
    stored = attachment.stored
    path = f"{ATTACHMENTS}/{attachment.number:04d} {_plain(attachment.name)}"

    def chunks() -> Iterable[bytes]:
        digest = hashlib.sha256()
        with default_storage.open(stored.name) as content:
            while part := content.read(CHUNK):
                digest.update(part)
                yield part
                source.tell(source.about.entries)
        listed.append(
            {
                "path": path,
                "number": attachment.number,
                "name": attachment.name,
                "sha256_when_attached": stored.sha256,
                "is_unchanged": digest.hexdigest() == stored.sha256,
            }
        )

    return BundleFile(path, chunks())


def _plain(name: str) -> str:
    """A name that every system unpacks."""
    return "".join(mark if mark.isprintable() and mark not in '\\/:*?"<>|' else "_" for mark in name)

"""The evidence bundle: one ZIP that anybody checks with docs/verify_export.py, written in one go and constant memory.

The same input makes the same bytes, but for the time and the signature.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

from django.conf import settings

from runbooks.exports.chain import ChainLines, SignedCheckpoint
from runbooks.timeline.seal import instant

VERIFIER = "verify_export.py"
MANIFEST, SIGNATURE, SIGNERS = "manifest.json", "manifest.json.sig", "allowed_signers"
CHAIN, CHECKPOINTS = "chain.jsonl", "checkpoints.jsonl"
RESERVED = {VERIFIER, MANIFEST, SIGNATURE, SIGNERS, CHAIN, CHECKPOINTS}
EPOCH = (1980, 1, 1, 0, 0, 0)
# Above it a file needs 64-bit sizes in the ZIP, and one whose size nobody knows yet might.
SMALL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Facts:
    """What the manifest says beside the files. `filter` is what was asked for, in words or as its query."""

    reference: str
    filter: str | Mapping[str, Any]
    exported_at: datetime
    exported_by: str
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BundleFile:
    """Another file of the bundle: an attachment, the report. `size` in bytes where it is known."""

    path: str
    chunks: Iterable[bytes]
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: size and SHA-256 of the ZIP, and what its manifest says."""

    size: int
    sha256: str
    manifest: Mapping[str, Any]


def write_bundle(
    out: BinaryIO,
    *,
    facts: Facts,
    chain: ChainLines,
    checkpoints: Iterable[SignedCheckpoint],
    signers: str,
    files: Iterable[BundleFile],
    sign: Callable[[bytes], str],
) -> Written:
    """Write the ZIP; `out` is only ever written to, so it may be a response or an upload.

    `signers` is signing.allowed_signers of all keys, `sign` makes the armoured signature over the manifest's bytes.
    ValueError for a file whose path no bundle may hold.
    """
    counted = _Counted(out)
    # The ZIP sees a stream that cannot be wound back: sizes then follow each file, and the hash is of what was written.
    with zipfile.ZipFile(counted, "w") as archive:  # type: ignore[call-overload]  # needs write and flush alone
        writing = _Writing(archive)
        writing.put(BundleFile(VERIFIER, [(settings.BASE_DIR / "docs" / VERIFIER).read_bytes()]))
        writing.put(BundleFile(SIGNERS, [signers.encode()]))
        writing.put(BundleFile(CHECKPOINTS, (one.line for one in checkpoints)))
        writing.put(BundleFile(CHAIN, chain))
        for file in files:
            if file.path in RESERVED or not _is_safe(file.path):
                raise ValueError(f"{file.path!r} is no path of a bundle")
            writing.put(file)
        manifest = _manifest(facts, chain, writing.listed)
        raw = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
        writing.put(BundleFile(MANIFEST, [raw], len(raw)))
        writing.put(BundleFile(SIGNATURE, [sign(raw).encode()]))
    return Written(counted.size, counted.sha256.hexdigest(), manifest)


def _manifest(facts: Facts, chain: ChainLines, listed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        **facts.more,
        "incident": str(chain.incident_id),
        "reference": facts.reference,
        "head": {"sequence": chain.head_sequence, "hash": chain.head_hash},
        "filter": facts.filter if isinstance(facts.filter, str) else dict(facts.filter),
        "left_out": chain.left_out,
        "exported_at": instant(facts.exported_at),
        "exported_by": facts.exported_by,
        "files": dict(listed),
    }


def _is_safe(path: str) -> bool:
    """Whether every system unpacks this path to where it says, and the verifier takes it."""
    is_plain = path.isprintable() and "\\" not in path and ":" not in path
    return is_plain and not {"", ".", ".."} & set(path.split("/"))


class _Writing:
    """Puts file after file into the ZIP, and lists each with its size and SHA-256."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.listed: dict[str, dict[str, Any]] = {}

    def put(self, file: BundleFile) -> None:
        if file.path in self.listed:
            raise ValueError(f"{file.path!r} is in the bundle already")
        entry = zipfile.ZipInfo(file.path, EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.create_system, entry.external_attr = 3, 0o644 << 16
        digest, size = hashlib.sha256(), 0
        is_large = file.size is None or file.size > SMALL
        with self._archive.open(entry, "w", force_zip64=is_large) as member:
            for chunk in file.chunks:
                digest.update(chunk)
                size += len(chunk)
                member.write(chunk)
        if file.size is not None and size != file.size:
            raise ValueError(f"{file.path!r} has {size} bytes and not {file.size}")
        self.listed[file.path] = {"size": size, "sha256": digest.hexdigest()}


class _Counted:
    """A stream that is only written to; knows size and hash of all that went through."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.size = 0
        self.sha256 = hashlib.sha256()

    def write(self, part: bytes) -> int:
        self._out.write(part)
        self.sha256.update(part)
        self.size += len(part)
        return len(part)

    def flush(self) -> None:
        self._out.flush()

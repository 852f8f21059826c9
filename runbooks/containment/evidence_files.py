"""Files that people hand in as evidence: hashed while they are written, under a name nobody chose."""

import hashlib
import unicodedata
import uuid
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from runbooks.errors import DomainError

NAME_MAX: Final = 200
UNNAMED: Final = "file"


class EvidenceTooLargeError(DomainError):
    """The file is over the size that the portal keeps."""

    status = 413


class EvidenceEmptyError(DomainError):
    """There is nothing in the file."""

    status = 400


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file in the storage: `path` is the storage's, `name` what people see, `size` in bytes, `sha256` in hex."""

    path: str
    name: str
    size: int
    sha256: str


class _Digested(File):  # type: ignore[type-arg]  # only the stubs know a parameter
    """Hashes what the storage reads, whichever way it reads it: the digest is of the bytes that were kept."""

    def __init__(self, upload: "File[Any]") -> None:
        super().__init__(upload)
        self.size = upload.size
        self._upload = upload
        self._restart()

    def _restart(self) -> None:
        self.digest, self.counted = hashlib.sha256(), 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._restart()
        return int(self._upload.seek(offset, whence))

    def read(self, size: int = -1) -> bytes:
        part: bytes = self._upload.read(size)
        self.digest.update(part)
        self.counted += len(part)
        return part


def keep(upload: "File[Any]", incident_id: UUID) -> KeptFile:
    """Write the file into the storage. The name its sender gave is shown, but never used as a path.

    Raises EvidenceTooLargeError over settings.EVIDENCE_MAX_BYTES and EvidenceEmptyError on nothing at all.
    """
    name = safe_name(upload.name or "")
    if upload.size > settings.EVIDENCE_MAX_BYTES:
        raise EvidenceTooLargeError(
            f"{name} has {size_in_words(upload.size)}; the portal keeps up to "
            f"{size_in_words(settings.EVIDENCE_MAX_BYTES)}. Keep it elsewhere, and add a link and its SHA-256 instead."
        )
    if not upload.size:
        raise EvidenceEmptyError(f"{name} is empty. Choose the file again.")
    content = _Digested(upload)
    path = default_storage.save(f"evidence/{incident_id.hex}/{uuid.uuid4().hex}", content)
    return KeptFile(path, name, content.counted, content.digest.hexdigest())


def safe_name(name: str) -> str:
    """The last part of a file name without what could mislead: folders, control and direction marks, odd spaces."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(" " if mark.isspace() else mark for mark in last if _is_plain(mark))
    plain = " ".join(plain.split()).strip(". ") or UNNAMED
    stem, dot, extension = plain.rpartition(".")
    if len(plain) <= NAME_MAX or not dot or len(extension) > 16:
        return plain[:NAME_MAX]
    return f"{stem[: NAME_MAX - len(extension) - 1]}.{extension}"


def _is_plain(mark: str) -> bool:
    """Unicode category C holds control and format marks, among them those that turn the direction of text."""
    return mark.isspace() or not unicodedata.category(mark).startswith("C")


def size_in_words(size: int) -> str:
    """812 bytes, 12 kB, 3.4 MB"""
    if size < 1000:
        return f"{size} bytes" if size != 1 else "1 byte"
    if size < 1_000_000:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1_000_000:.1f} MB"

"""Bytes into the storage, under their hash: `evidence/ab/cdef...`.

A file is hashed in chunks, never held as a whole, and saved once: the same bytes again find what is there. Whoever
saves holds an advisory lock of these bytes until the row that names them is committed, so that two at once make one
file, and one whose operation is refused can be taken away again. A process that dies in between leaves at most a file
that no row names, which `manage.py sweep_attachments` finds. Nothing here knows a local path: any Django storage does.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import connection

from runbooks.attachments.kinds import HEAD, label_of, media_type_of
from runbooks.attachments.models import StoredFile
from runbooks.attachments.names import safe_name, size_in_words
from runbooks.errors import DomainError

ROOT: Final = "evidence"
CHUNK: Final = 64 * 1024


class FileTooLargeError(DomainError):
    """The file is over the size that the portal keeps."""

    status = 413


class FileEmptyError(DomainError):
    """There is nothing in the file."""

    status = 400


class FileRefusedError(DomainError):
    """The site does not take files of this kind (settings.ATTACHMENT_REFUSED)."""

    status = 400


@dataclass(frozen=True, slots=True)
class KeptFile:
    """Bytes in the storage: `path` is the storage's, `name` what people see, `size` in bytes, `sha256` in hex."""

    path: str
    name: str
    size: int
    sha256: str
    media_type: str


@contextmanager
def kept(upload: "File[Any]") -> Iterator[KeptFile]:
    """The file, in the storage while the block writes the rows that name it; taken away again where it does not.

    Raises FileTooLargeError, FileEmptyError and FileRefusedError before anything is stored.
    """
    name = safe_name(upload.name or "")
    sha256, size, media_type = _read(upload, name)
    with only_one(sha256):
        found = _standing(sha256)
        path = found or default_storage.save(address(sha256), _from_the_start(upload))
        try:
            yield KeptFile(path, name, size, sha256, media_type)
        except BaseException:
            if not found and not StoredFile.objects.filter(name=path).exists():
                default_storage.delete(path)
            raise


def stored_row(file: KeptFile, at: datetime) -> StoredFile:
    """The row of these bytes, made where there is none: within the operation's transaction, under `kept`."""
    row, made = StoredFile.objects.get_or_create(
        sha256=file.sha256,
        defaults={"size": file.size, "media_type": file.media_type, "name": file.path, "stored_at": at},
    )
    if not made and row.name != file.path:
        # What stood there was lost or is no longer what it was: these are the bytes that the hash means.
        row.name = file.path
        row.save(update_fields=["name"])
    return row


def address(sha256: str) -> str:
    return f"{ROOT}/{sha256[:2]}/{sha256[2:]}"


def digest_of(path: str) -> tuple[str, int]:
    """(SHA-256 in hex, bytes) of what the storage holds now, read in chunks. Raises FileNotFoundError."""
    digest, size = hashlib.sha256(), 0
    with default_storage.open(path) as content:
        while part := content.read(CHUNK):
            digest.update(part)
            size += len(part)
    return digest.hexdigest(), size


@contextmanager
def only_one(sha256: str) -> Iterator[None]:
    """Nobody else saves or sweeps these bytes meanwhile. The lock is the connection's: it goes with a dead process."""
    _ask("SELECT pg_advisory_lock(hashtextextended(%s, 0))", sha256)
    try:
        yield
    finally:
        _ask("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", sha256)


def _ask(statement: str, sha256: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [f"attachment {sha256}"])


def _read(upload: "File[Any]", name: str) -> tuple[str, int, str]:
    """(SHA-256, bytes, media type). Refuses as soon as it is known: by what it says of its size, then by what comes."""
    if upload.size > settings.ATTACHMENT_MAX_BYTES:
        raise _too_large(name, upload.size)
    digest, size, head = hashlib.sha256(), 0, b""
    for part in _chunks(upload):
        digest.update(part)
        size += len(part)
        if size > settings.ATTACHMENT_MAX_BYTES:
            raise _too_large(name, size)
        if len(head) < HEAD:
            head += part[: HEAD - len(head)]
    if not size:
        raise FileEmptyError(f"{name} is empty. Choose the file again.")
    media_type = media_type_of(head)
    if media_type in settings.ATTACHMENT_REFUSED:
        raise FileRefusedError(
            f"{name} is a {label_of(media_type)}, which the portal does not take as it is: nobody should start it by "
            "mistake. Put it into a ZIP with a password, and attach that."
        )
    return digest.hexdigest(), size, media_type


def _chunks(upload: "File[Any]") -> Iterable[bytes]:
    for part in upload.chunks(CHUNK):
        yield part.encode() if isinstance(part, str) else part


def _too_large(name: str, size: int) -> FileTooLargeError:
    return FileTooLargeError(
        f"{name} has {size_in_words(size)}; the portal keeps up to {size_in_words(settings.ATTACHMENT_MAX_BYTES)}. "
        "Keep it elsewhere, and add a link and its SHA-256 instead."
    )


def _standing(sha256: str) -> str:
    """Where these bytes lie already, sound; empty where they do not, or are no longer what their name says."""
    row = StoredFile.objects.filter(sha256=sha256).first()
    if row is None:
        return ""
    try:
        return row.name if digest_of(row.name) == (sha256, row.size) else ""
    except FileNotFoundError:
        return ""


def _from_the_start(upload: "File[Any]") -> "File[Any]":
    upload.seek(0)
    return upload

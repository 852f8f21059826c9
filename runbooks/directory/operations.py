"""Changing the directory. Imports and protections belong to no incident: who did what stands in their own rows."""

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import BinaryIO, Final

from django.conf import settings
from django.core.files.base import File
from django.db import connection, transaction

from runbooks.access.permissions import Actor, require
from runbooks.directory.columns import digest, problems
from runbooks.directory.formats import DirectoryFile, open_directory_file
from runbooks.directory.models import Account, DirectoryImport, HeaderMapping, Protection
from runbooks.directory.queries import stored_file, suggested_columns
from runbooks.directory.staging import Counts, staged
from runbooks.errors import DomainError, NotFoundError

logger = logging.getLogger(__name__)
NAME_MAX: Final = 255
REASON_MAX: Final = 400


class FileTooLargeError(DomainError):
    """The file is over DIRECTORY_FILE_MAX_BYTES."""

    status = 413


class BadMappingError(DomainError):
    """The columns do not say how to read the file."""

    status = 400


class ImportSettledError(DomainError):
    """The import was applied or discarded before."""


class NothingToImportError(DomainError):
    """The file holds no account that can be used."""


class TooManyGoneError(DomainError):
    """More than a fifth of the known accounts would be gone, and nobody has said that this is right."""


class PreviewOutdatedError(DomainError):
    """Applying would do something else than what was shown."""


class NotHarmlessError(DomainError):
    """Only additions were asked for, and the file would do more."""


class BadProtectionError(DomainError):
    """A protection without a kind or a reason."""

    status = 400


@transaction.atomic
def stage_import(*, actor: Actor, file: BinaryIO, file_name: str, at: datetime) -> DirectoryImport:
    """Keep an uploaded file, with a first mapping, for somebody to look at before it is applied."""
    require(actor, "import_directory")
    if file.seek(0, os.SEEK_END) > settings.DIRECTORY_FILE_MAX_BYTES:
        limit = settings.DIRECTORY_FILE_MAX_BYTES // 1024 // 1024
        raise FileTooLargeError(f"The file is over {limit} MB. Export fewer columns, or import it on the command line.")
    opened = open_directory_file(file)
    columns = suggested_columns(opened)
    imported = _new_import(file, opened, actor, file_name, at)
    imported.columns = columns
    imported.counts = _read_counts(opened, columns)
    file.seek(0)
    imported.file.save(f"{imported.sha256[:16]}.{opened.name}", File(file), save=False)
    imported.save()
    return imported


@transaction.atomic
def choose_columns(*, actor: Actor, import_id: int, columns: Mapping[str, str], at: datetime) -> DirectoryImport:
    """Say which column fills which field, for this file and every later one with the same header."""
    require(actor, "import_directory")
    imported = _locked(import_id)
    chosen = {column: columns.get(column, "") for column in imported.columns}
    if wrong := problems(chosen):
        raise BadMappingError(" ".join(wrong))
    with stored_file(imported) as opened:
        imported.counts = _read_counts(opened, chosen)
        _remember(opened, chosen, at)
    imported.columns = chosen
    imported.save(update_fields=["columns", "counts"])
    return imported


@transaction.atomic
def apply_import(
    *, actor: Actor, import_id: int, at: datetime, allow_gone: bool = False, expected: Mapping[str, int] | None = None
) -> DirectoryImport:
    """Make the directory what the staged file says.

    `expected` are counts as somebody saw them: where the directory has moved on since, nothing is applied.
    """
    require(actor, "import_directory")
    imported = _locked(import_id)
    _lock_accounts()
    _check_columns(imported.columns)
    with stored_file(imported) as opened, staged(opened, imported.columns) as laid:
        _check_expected(laid.counts, expected or {})
        _check_counts(laid.counts, allow_gone=allow_gone)
        laid.apply(at)
        imported.counts = asdict(laid.counts)
    _settle(imported, DirectoryImport.Status.APPLIED)
    imported.applied_at = at
    imported.save(update_fields=["status", "applied_at", "counts", "file"])
    return imported


@transaction.atomic
def discard_import(*, actor: Actor, import_id: int) -> DirectoryImport:
    """Put a staged file aside; the directory stays as it is."""
    require(actor, "import_directory")
    imported = _locked(import_id)
    _settle(imported, DirectoryImport.Status.DISCARDED)
    imported.save(update_fields=["status", "file"])
    return imported


@transaction.atomic
def import_file(
    *,
    actor: Actor,
    file: BinaryIO,
    file_name: str,
    at: datetime,
    columns: Mapping[str, str] | None = None,
    allow_gone: bool = False,
    only_additions: bool = False,
) -> DirectoryImport:
    """Read a file and make the directory what it says, in one go. `columns` overrule the mapping that is suggested.

    With `only_additions` a file that would change, lose or reject anything is refused.
    """
    require(actor, "import_directory")
    _lock_accounts()
    opened = open_directory_file(file)
    chosen = suggested_columns(opened, columns)
    _check_columns(chosen)
    imported = _new_import(file, opened, actor, file_name, at)
    with staged(opened, chosen) as laid:
        if only_additions and not laid.counts.is_addition:
            raise NotHarmlessError("The file would change the directory. Look at the preview, then apply it.")
        _check_counts(laid.counts, allow_gone=allow_gone)
        laid.apply(at)
        imported.counts = asdict(laid.counts)
    imported.columns, imported.status, imported.applied_at = chosen, DirectoryImport.Status.APPLIED, at
    imported.save()
    if columns:
        _remember(opened, chosen, at)
    return imported


@transaction.atomic
def protect_account(*, actor: Actor, account_id: int, kind: str, reason: str, at: datetime) -> Protection:
    """Keep actions on many accounts off this one unless somebody takes it in by name. A second time corrects why."""
    require(actor, "protect_account")
    account = _locked_account(account_id)
    if kind not in Protection.Kind.values:
        raise BadProtectionError("Say what kind of account it is.")
    reason = reason.strip()
    if not reason or len(reason) > REASON_MAX:
        raise BadProtectionError(
            f"Say in at most {REASON_MAX} characters why it is protected: it is shown to whoever decides."
        )
    fields = {"kind": kind, "reason": reason, "added_by": actor.name, "added_at": at}
    protection, _ = Protection.objects.update_or_create(account=account, defaults=fields)
    logger.info("%s protects %s as %s: %s", actor, account.login, kind, reason)
    return protection


@transaction.atomic
def release_account(*, actor: Actor, account_id: int) -> Account:
    """Protect it no longer: the next action on everyone takes it, too."""
    require(actor, "protect_account")
    account = _locked_account(account_id)
    removed, _ = Protection.objects.filter(account=account).delete()
    if not removed:
        raise NotFoundError(f"{account.login} is not protected.")
    logger.info("%s no longer protects %s", actor, account.login)
    return account


def _locked_account(account_id: int) -> Account:
    account = Account.objects.select_for_update().filter(pk=account_id).first()
    if account is None:
        raise NotFoundError("There is no such account in the directory.")
    return account


def _new_import(file: BinaryIO, opened: DirectoryFile, actor: Actor, name: str, at: datetime) -> DirectoryImport:
    file.seek(0)
    sha256 = hashlib.sha256()
    size = 0
    while chunk := file.read(1 << 20):
        sha256.update(chunk)
        size += len(chunk)
    return DirectoryImport(
        file_name=name[-NAME_MAX:],
        sha256=sha256.hexdigest(),
        size=size,
        file_format=opened.name,
        uploaded_by=actor.name,
        uploaded_at=at,
    )


def _read_counts(opened: DirectoryFile, columns: Mapping[str, str]) -> dict[str, int]:
    """What the file would do, read to its end: a broken one is refused at once. Empty while nothing fills the login."""
    if problems(columns):
        for _ in opened.records():
            pass
        return {}
    with staged(opened, columns) as laid:
        return asdict(laid.counts)


def _locked(import_id: int) -> DirectoryImport:
    imported = DirectoryImport.objects.select_for_update().filter(pk=import_id).first()
    if imported is None:
        raise NotFoundError("There is no such import.")
    if imported.status != DirectoryImport.Status.STAGED:
        raise ImportSettledError(
            f"This import was {imported.get_status_display().lower()} before. Upload the file again."
        )
    return imported


def _lock_accounts() -> None:
    """One import at a time. Readers go on, and so does adding accounts to incidents."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE runbooks_account IN SHARE ROW EXCLUSIVE MODE")


def _check_columns(columns: Mapping[str, str]) -> None:
    if wrong := problems(columns):
        raise BadMappingError(" ".join(wrong))


def _check_expected(counts: Counts, expected: Mapping[str, int]) -> None:
    if any(getattr(counts, name) != number for name, number in expected.items()):
        raise PreviewOutdatedError("The directory has changed since this preview. Look at it again, then apply it.")


def _check_counts(counts: Counts, *, allow_gone: bool) -> None:
    if not counts.usable:
        raise NothingToImportError("No row of the file holds an account that can be used. Look at its columns.")
    if counts.loses_many and not allow_gone:
        raise TooManyGoneError(
            f"{counts.gone:,} of {counts.known:,} known accounts are not in the file. "
            "If the file is the whole directory and they have left, confirm that; else export all of it."
        )


def _remember(opened: DirectoryFile, chosen: Mapping[str, str], at: datetime) -> None:
    HeaderMapping.objects.update_or_create(
        header_digest=digest(opened.name, opened.columns), defaults={"columns": dict(chosen), "used_at": at}
    )


def _settle(imported: DirectoryImport, status: DirectoryImport.Status) -> None:
    """The outcome stays, the people's data goes: the stored file is deleted once this is committed."""
    storage, stored = imported.file.storage, imported.file.name
    imported.status = status
    imported.file = ""

    def delete() -> None:
        if stored:
            storage.delete(stored)

    transaction.on_commit(delete, robust=True)

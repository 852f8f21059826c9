"""What an import would do, and what imports did."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, BinaryIO, Final, cast

from psycopg import sql

from runbooks.access.permissions import Actor, require
from runbooks.directory.columns import LABELS, digest, guess, overruled
from runbooks.directory.formats import DirectoryFile, Rejection, open_directory_file
from runbooks.directory.intake import FIELDS
from runbooks.directory.models import Account, DirectoryImport, HeaderMapping
from runbooks.directory.staging import GONE, Counts, Staged, listed, staged
from runbooks.errors import DomainError, NotFoundError

PAGE: Final = 50
VERDICTS: Final = ("new", "changed", "gone", "rejected")
FILED_PAGE: Final = sql.SQL(
    """
    SELECT plan.line, {planned}, account.gone_at, {known}
    FROM directory_plan plan LEFT JOIN runbooks_account account ON account.id = plan.account_id
    WHERE plan.verdict = %(verdict)s AND plan.line > %(after)s ORDER BY plan.line LIMIT %(limit)s
    """
).format(planned=listed("plan.{f}"), known=listed("account.{f}"))
GONE_PAGE: Final = sql.SQL(
    """
    SELECT account.id, account.login, account.display_name {gone}
    AND account.id > %(after)s ORDER BY account.id LIMIT %(limit)s
    """
).format(gone=sql.SQL(GONE))


class StoredFileMissingError(DomainError):
    """The file of a staged import is not in the storage any more."""


class UnknownColumnError(DomainError):
    """A mapping names a column that is not in the file."""

    status = 400


@dataclass(frozen=True, slots=True)
class FieldChange:
    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """One account that an import would touch. `line` is of the file, 0 where the account is gone from it."""

    line: int
    login: str
    display_name: str
    fields: Sequence[FieldChange] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What applying would do now, and one page of it. `after` is where the next page begins; None on the last."""

    counts: Counts
    verdict: str
    changes: Sequence[Change] = ()
    rejections: Sequence[Rejection] = ()
    after: int | None = None


@dataclass(frozen=True, slots=True)
class ImportPage:
    """Imports, newest first. `before` is the id the next page begins below; None on the last."""

    imports: Sequence[DirectoryImport]
    before: int | None


def import_page(*, actor: Actor, before: int | None = None, size: int = 20) -> ImportPage:
    require(actor, "import_directory")
    imports = DirectoryImport.objects.order_by("-id")
    if before is not None:
        imports = imports.filter(pk__lt=before)
    found = list(imports[: size + 1])
    return ImportPage(found[:size], found[size - 1].pk if len(found) > size else None)


def import_for(*, actor: Actor, import_id: int) -> DirectoryImport:
    require(actor, "import_directory")
    found = DirectoryImport.objects.filter(pk=import_id).first()
    if found is None:
        raise NotFoundError("There is no such import.")
    return found


@contextmanager
def stored_file(imported: DirectoryImport) -> Iterator[DirectoryFile]:
    """The uploaded file of a staged import. Raises StoredFileMissingError."""
    try:
        kept = imported.file.storage.open(imported.file.name or "", "rb")
    except FileNotFoundError:
        raise StoredFileMissingError(
            "The uploaded file is no longer there. Discard this import and upload it again."
        ) from None
    with kept:
        yield open_directory_file(cast(BinaryIO, kept.file), imported.file_format)


def suggested_columns(file: DirectoryFile, choice: Mapping[str, str] | None = None) -> dict[str, str]:
    """{column: field} for a file: `choice` first, then what somebody chose for this header before, then the names.

    Raises UnknownColumnError where the choice names a column that the file does not have.
    """
    remembered = HeaderMapping.objects.filter(header_digest=digest(file.name, file.columns)).first()
    columns = overruled(guess(file.columns), remembered.columns if remembered else {})
    if strange := [column for column in choice or {} if column not in columns]:
        raise UnknownColumnError(f"The file has no column {strange[0]!r}. It has: {', '.join(columns)}.")
    return overruled(columns, choice or {})


def samples(imported: DirectoryImport, count: int = 3) -> dict[str, list[str]]:
    """{column: its values in the first rows}, in the file's order, empty values left out. Raises BrokenFileError."""
    with stored_file(imported) as file:
        columns = file.columns
        records = [record for _, record in islice(file.records(), 20)]
    values = {column: [record[column] for record in records if record.get(column)] for column in columns}
    return {column: list(dict.fromkeys(some))[:count] for column, some in values.items()}


def preview(imported: DirectoryImport, *, verdict: str = "", after: int = 0) -> Preview:
    """What applying the stored file would do now, and a page of one verdict: the weightiest, unless one is named.

    Raises BrokenFileError.
    """
    with stored_file(imported) as file:
        return preview_file(file, imported.columns, verdict=verdict, after=after)


def preview_file(file: DirectoryFile, columns: Mapping[str, str], *, verdict: str = "", after: int = 0) -> Preview:
    """What applying a file would do now, by a mapping without problems. Raises BrokenFileError."""
    with staged(file, columns) as laid:
        chosen = verdict if verdict in VERDICTS else _first_with_any(laid.counts)
        if chosen == "rejected":
            kept = laid.rejections.kept
            found = Preview(laid.counts, chosen, rejections=kept[after : after + PAGE])
            return replace(found, after=after + PAGE if after + PAGE < len(kept) else None)
        return _paged(laid, chosen, after)


def _first_with_any(counts: Counts) -> str:
    for verdict in ("rejected", "gone", "changed", "new"):
        if getattr(counts, verdict):
            return verdict
    return "new"


def _paged(laid: Staged, verdict: str, after: int) -> Preview:
    statement = GONE_PAGE if verdict == "gone" else FILED_PAGE
    laid.cursor.execute(statement, {"verdict": verdict, "after": after, "limit": PAGE + 1})
    rows = laid.cursor.fetchall()
    more = rows[PAGE - 1][0] if len(rows) > PAGE else None
    changes = [_gone(row) if verdict == "gone" else _filed(row, verdict) for row in rows[:PAGE]]
    return Preview(laid.counts, verdict, changes=changes, after=more)


def _gone(row: Sequence[Any]) -> Change:
    _, login, display_name = row
    return Change(0, login, display_name)


def _filed(row: Sequence[Any], verdict: str) -> Change:
    line, values = row[0], row[1:]
    after, gone_at, before = values[: len(FIELDS)], values[len(FIELDS)], values[len(FIELDS) + 1 :]
    fields = []
    if verdict == "changed":
        if gone_at is not None:
            fields.append(FieldChange("In the directory", f"gone since {gone_at:%Y-%m-%d}", "back"))
        pairs = zip(FIELDS, before, after, strict=True)
        fields += [
            FieldChange(LABELS[name], _shown(name, old), _shown(name, new)) for name, old, new in pairs if old != new
        ]
    return Change(line, after[0], after[1], fields)


def _shown(name: str, value: str | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return Account.Kind(value).label if name == "kind" else value

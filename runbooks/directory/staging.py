"""A directory file laid beside the directory: what is new, changed, gone and unchanged, worked out in the database.

The rows are copied into temporary tables and compared there, for one COPY and three joins cost a tenth of what an
object a row would. Everything lives within the caller's transaction and is dropped at its end.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from runbooks.directory.formats import DirectoryFile, Rejections
from runbooks.directory.intake import FIELDS, TEXT_FIELDS, Intake
from runbooks.directory.names import match_keys

NAME_FIELDS: Final = ("login", "mail", "display_name", "given_name", "family_name", "alternate_mail")
CONTACT_FIELDS: Final = ("mail", "alternate_mail", "mobile", "telephone", "office")
TABLES: Final = ("directory_filed", "directory_refused", "directory_pair", "directory_plan", "directory_keys")
DEFAULTS: Final = {"kind": "person", "is_enabled": True, "is_privileged": False}


def listed(template: str, fields: tuple[str, ...] = FIELDS, by: str = ", ") -> sql.Composed:
    """The template once a field of FIELDS, joined. `{f}` is the column, `{d}` what it is when nobody says."""
    parts = [sql.SQL(template).format(f=sql.Identifier(name), d=sql.Literal(DEFAULTS.get(name, ""))) for name in fields]
    return sql.SQL(by).join(parts)


CREATE: Final = sql.SQL(
    """
    CREATE TEMP TABLE directory_filed (
        line integer NOT NULL, {texts}, is_enabled boolean, is_privileged boolean
    ) ON COMMIT DROP;
    CREATE TEMP TABLE directory_refused (login text NOT NULL) ON COMMIT DROP;
    CREATE TEMP TABLE directory_pair (line integer NOT NULL, account_id bigint NOT NULL) ON COMMIT DROP;
    CREATE TEMP TABLE directory_keys (line integer NOT NULL, match_keys varchar(400)[] NOT NULL) ON COMMIT DROP
    """
).format(texts=listed("{f} text", (*TEXT_FIELDS, "kind")))
COPY_ROWS: Final = sql.SQL("COPY directory_filed (line, {fields}) FROM STDIN").format(fields=listed("{f}"))
# The directory's own identifier finds an account whose login has changed. Repeated ones say nothing.
PAIR_BY_IDENTIFIER: Final = """
    INSERT INTO directory_pair
    SELECT filed.line, known.id
    FROM (SELECT external_id, min(line) AS line FROM directory_filed WHERE external_id <> ''
          GROUP BY external_id HAVING count(*) = 1) filed
    JOIN (SELECT external_id, min(id) AS id FROM runbooks_account WHERE external_id <> ''
          GROUP BY external_id HAVING count(*) = 1) known USING (external_id)
    """
# A login that an account outside these pairs holds cannot be given to another: there the login decides.
UNPAIR_TAKEN_LOGINS: Final = """
    DELETE FROM directory_pair pair USING directory_filed filed, runbooks_account holder
    WHERE filed.line = pair.line AND lower(holder.login) = lower(filed.login) AND holder.id <> pair.account_id
      AND NOT EXISTS (SELECT FROM directory_pair other WHERE other.account_id = holder.id)
    """
PAIR_BY_LOGIN: Final = """
    INSERT INTO directory_pair
    SELECT filed.line, account.id
    FROM directory_filed filed JOIN runbooks_account account ON lower(account.login) = lower(filed.login)
    WHERE NOT EXISTS (SELECT FROM directory_pair pair WHERE pair.line = filed.line)
      AND NOT EXISTS (SELECT FROM directory_pair pair WHERE pair.account_id = account.id)
    """
PLAN: Final = sql.SQL(
    """
    CREATE TEMP TABLE directory_plan ON COMMIT DROP AS
    SELECT filed.line, account.id AS account_id, {merged},
           CASE WHEN account.id IS NULL THEN 'new'
                WHEN account.gone_at IS NOT NULL OR coalesce({differs}, false) THEN 'changed'
                ELSE 'unchanged' END AS verdict
    FROM directory_filed filed
    LEFT JOIN directory_pair pair USING (line)
    LEFT JOIN runbooks_account account ON account.id = pair.account_id
    """
).format(
    merged=listed("coalesce(filed.{f}, account.{f}, {d}) AS {f}"),
    differs=listed("filed.{f} <> account.{f}", by=" OR "),
)
GONE: Final = """
    FROM runbooks_account account
    WHERE account.gone_at IS NULL
      AND NOT EXISTS (SELECT FROM directory_plan plan WHERE plan.account_id = account.id)
      AND NOT EXISTS (SELECT FROM directory_refused refused WHERE lower(refused.login) = lower(account.login))
    """
COUNT: Final = sql.SQL(
    """
    SELECT verdict, count(*) FROM directory_plan GROUP BY verdict
    UNION ALL SELECT 'gone', count(*) {gone}
    UNION ALL SELECT 'known', count(*) FROM runbooks_account WHERE gone_at IS NULL
    """
).format(gone=sql.SQL(GONE))
INSERT_NEW: Final = sql.SQL(
    """
    INSERT INTO runbooks_account ({fields}, match_keys, first_seen_at, last_seen_at)
    SELECT {planned}, keys.match_keys, %(at)s, %(at)s
    FROM directory_plan plan JOIN directory_keys keys USING (line) WHERE plan.verdict = 'new' ORDER BY plan.line
    """
).format(fields=listed("{f}"), planned=listed("plan.{f}"))
# Two accounts may exchange logins: the unique index looks at every row, so the old ones step aside first.
FREE_LOGINS: Final = """
    UPDATE runbooks_account account SET login = 'renamed:' || account.id
    FROM directory_plan plan WHERE plan.account_id = account.id AND lower(plan.login) <> lower(account.login)
    """
# Where there is no office, the department is the address that letters go to.
UPDATE_CHANGED: Final = sql.SQL(
    """
    UPDATE runbooks_account account
    SET {fields}, match_keys = keys.match_keys, last_seen_at = %(at)s, gone_at = NULL,
        contact_changed_at = CASE WHEN {contact} OR (plan.office = '' AND account.department <> plan.department)
                                  THEN %(at)s ELSE account.contact_changed_at END
    FROM directory_plan plan JOIN directory_keys keys USING (line)
    WHERE plan.account_id = account.id AND plan.verdict = 'changed'
    """
).format(
    fields=listed("{f} = plan.{f}"),
    contact=listed("account.{f} <> plan.{f}", CONTACT_FIELDS, by=" OR "),
)
SEE_UNCHANGED: Final = """
    UPDATE runbooks_account account SET last_seen_at = %(at)s
    FROM directory_plan plan WHERE plan.account_id = account.id AND plan.verdict = 'unchanged'
    """
MARK_GONE: Final = sql.SQL(
    "UPDATE runbooks_account SET gone_at = %(at)s WHERE id IN (SELECT account.id {gone})"
).format(gone=sql.SQL(GONE))
NAMED: Final = sql.SQL("SELECT line, {fields} FROM directory_plan WHERE verdict IN ('new', 'changed')").format(
    fields=listed("{f}", NAME_FIELDS)
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of a file against the directory. `known` are the accounts that were there before, gone ones left out."""

    new: int
    changed: int
    gone: int
    unchanged: int
    rejected: int
    passed_over: int
    known: int

    @property
    def usable(self) -> int:
        """Rows of the file that hold an account."""
        return self.new + self.changed + self.unchanged

    @property
    def is_addition(self) -> bool:
        """Whether applying it takes nothing away and alters nothing, and every row could be read."""
        return not (self.changed or self.gone or self.rejected)

    @property
    def loses_many(self) -> bool:
        """Whether more than a fifth of the known accounts would be gone: the mark of half a directory."""
        return self.gone * 5 > self.known


class Staged:
    """A file laid beside the directory, within the block of `staged`."""

    def __init__(self, cursor: CursorWrapper, rejections: Rejections, counts: Counts) -> None:
        self.cursor = cursor
        self.rejections = rejections
        self.counts = counts

    def apply(self, at: datetime) -> None:
        """Make the directory what the file says. The caller has decided that it may."""
        self._make_keys()
        for statement in (FREE_LOGINS, UPDATE_CHANGED, SEE_UNCHANGED, MARK_GONE, INSERT_NEW):
            _run(self.cursor, statement, {"at": at})

    def _make_keys(self) -> None:
        _run(self.cursor, NAMED)
        named = self.cursor.fetchall()
        with self.cursor.copy("COPY directory_keys (line, match_keys) FROM STDIN") as copy:
            for line, *names in named:
                copy.write_row((line, match_keys(*names)))
        _run(self.cursor, "ANALYZE directory_keys")


@contextmanager
def staged(file: DirectoryFile, chosen: Mapping[str, str]) -> Iterator[Staged]:
    """The file, read to its end and compared. After the block nothing is left of it. Raises BrokenFileError."""
    with transaction.atomic(), connection.cursor() as cursor:
        _run(cursor, CREATE)
        intake = Intake(file, chosen)
        _copy(cursor, intake)
        _pair(cursor)
        _run(cursor, PLAN)
        _run(cursor, "ANALYZE directory_plan")
        yield Staged(cursor, file.rejections, _count(cursor, file))
        # Where the caller's transaction goes on, so would the tables.
        _run(cursor, sql.SQL("DROP TABLE {}").format(sql.SQL(", ").join(map(sql.Identifier, TABLES))))


def _copy(cursor: CursorWrapper, intake: Intake) -> None:
    with cursor.copy(COPY_ROWS) as copy:
        for row in intake.rows():
            copy.write_row(row)
    with cursor.copy("COPY directory_refused (login) FROM STDIN") as copy:
        for value in intake.file.rejections.named:
            copy.write_row((value,))
    _run(cursor, "ANALYZE directory_filed")


def _pair(cursor: CursorWrapper) -> None:
    _run(cursor, PAIR_BY_IDENTIFIER)
    _run(cursor, UNPAIR_TAKEN_LOGINS)
    while cursor.rowcount:
        _run(cursor, UNPAIR_TAKEN_LOGINS)
    _run(cursor, PAIR_BY_LOGIN)
    _run(cursor, "ANALYZE directory_pair")


def _count(cursor: CursorWrapper, file: DirectoryFile) -> Counts:
    _run(cursor, COUNT)
    found = dict(cursor.fetchall())
    return Counts(
        new=found.get("new", 0),
        changed=found.get("changed", 0),
        gone=found["gone"],
        unchanged=found.get("unchanged", 0),
        rejected=file.rejections.total,
        passed_over=file.passed_over,
        known=found["known"],
    )


def _run(cursor: CursorWrapper, statement: str | sql.Composable, parameters: dict[str, Any] | None = None) -> None:
    cursor.execute(statement, parameters)

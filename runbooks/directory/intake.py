"""From a file's records to rows as the database holds them; what cannot be used is refused, with line and reason."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from runbooks.directory.columns import ACCOUNT_NAME, LABELS, LIMITS, normalised
from runbooks.directory.formats import NOT_TEXT, DirectoryFile
from runbooks.directory.models import Account

TEXT_FIELDS: Final = (
    "login",
    "display_name",
    "given_name",
    "family_name",
    "mail",
    "alternate_mail",
    "mobile",
    "telephone",
    "office",
    "department",
    "title",
    "external_id",
    "language",
)
FIELDS: Final = (*TEXT_FIELDS, "kind", "is_enabled", "is_privileged")
Row = tuple[int | str | bool | None, ...]
"""(line, then a value for each of FIELDS); None where the file does not carry the field."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
_MAIL: Final = re.compile(r"[^@\s<>\"]+@[^@\s<>\"]+\.[^@\s<>\".]+")
_SEPARATOR: Final = re.compile(r"[;,|]")
_WORD: Final = re.compile(r"[^\W\d_]+")
_YES: Final = {"true", "yes", "y", "t", "1", "enabled", "active", "on"}
_NO: Final = {"false", "no", "n", "f", "0", "disabled", "inactive", "blocked", "off"}
_ACCOUNT_DISABLED: Final = 0x2  # Active Directory's userAccountControl
_KINDS: Final = {
    **dict.fromkeys(("person", "member", "user", "usermailbox", "mailuser", "employee"), Account.Kind.PERSON),
    **dict.fromkeys(("shared", "sharedmailbox", "roommailbox", "equipmentmailbox"), Account.Kind.SHARED),
    **dict.fromkeys(("service", "serviceaccount", "application", "system"), Account.Kind.SERVICE),
    **dict.fromkeys(("guest", "guestmailuser", "external"), Account.Kind.GUEST),
}
# What letters are written in, by the first word of what directories say: cy, cy_GB, "cy, en;q=0.8", Welsh.
_LANGUAGES: Final = {
    **dict.fromkeys(("cy", "cym", "wel", "welsh", "cymraeg"), "cy"),
    **dict.fromkeys(("en", "eng", "english", "saesneg"), "en-gb"),
}


class RefusedRowError(Exception):
    """Why one row is not used, and whose it is where that can be told."""

    def __init__(self, reason: str, login: str = "") -> None:
        self.reason = reason
        self.login = login


class Intake:
    """Reads a directory file under a mapping."""

    def __init__(self, file: DirectoryFile, chosen: Mapping[str, str]) -> None:
        self.file = file
        self._columns = {field: column for column, field in chosen.items() if field}
        self._texts = [
            (position, field, self._columns[field])
            for position, field in enumerate(TEXT_FIELDS)
            if field in self._columns
        ]
        self._lines: dict[str, int] = {}

    def rows(self) -> Iterator[Row]:
        """Each usable row, once a login. Raises BrokenFileError where the file breaks."""
        for line, record in self.file.records():
            try:
                yield self._row(line, record)
            except RefusedRowError as refusal:
                self.file.rejections.add(line, refusal.reason, [refusal.login])

    def _row(self, line: int, record: Mapping[str, str]) -> Row:
        texts = self._text_values(record)
        login = texts[0] or texts[4] or _clean(record.get(self._columns.get(ACCOUNT_NAME, ""), ""))
        if not login:
            raise RefusedRowError("has no login: the columns that may hold one are empty")
        try:
            _check_text("login", login, LIMITS["login"])
            _check(texts)
            rest = self._chosen_values(record)
        except RefusedRowError as refusal:
            raise RefusedRowError(refusal.reason, login) from None
        first = self._lines.setdefault(login.lower(), line)
        if first != line:
            raise RefusedRowError(f"repeats the login {login} of line {first}")
        texts[0] = login
        return (line, *texts, *rest)

    def _text_values(self, record: Mapping[str, str]) -> list[str | None]:
        values: list[str | None] = [None] * len(TEXT_FIELDS)
        for position, field, column in self._texts:
            value = _clean(record.get(column, ""))
            if field == "alternate_mail":
                value = _SEPARATOR.split(value, maxsplit=1)[0].strip()
            elif field == "language":
                value = _language(value)
            values[position] = value
        return values

    def _chosen_values(self, record: Mapping[str, str]) -> tuple[str | None, bool | None, bool | None]:
        return (
            _kind(record.get(self._columns.get("kind", ""), "")),
            self._boolean(record, "is_enabled"),
            self._boolean(record, "is_privileged"),
        )

    def _boolean(self, record: Mapping[str, str], field: str) -> bool | None:
        column = self._columns.get(field, "")
        value = record.get(column, "").strip().lower()
        if not value:
            return None
        if normalised(column) == "useraccountcontrol" and value.isdecimal() and len(value) < 19:
            return not int(value) & _ACCOUNT_DISABLED
        if value in _YES or value in _NO:
            return value in _YES
        raise RefusedRowError(f"says {value!r} under {column}, which is neither yes nor no")


def _clean(value: str) -> str:
    return " ".join(value.split())


def _check(texts: list[str | None]) -> None:
    for field, value in zip(TEXT_FIELDS, texts, strict=True):
        if value:
            _check_text(field, value, LIMITS[field])
            if field in {"mail", "alternate_mail"} and not _MAIL.fullmatch(value):
                raise RefusedRowError(f"has {value!r} as {LABELS[field].lower()}, which is no mail address")


def _check_text(field: str, value: str, limit: int) -> None:
    if value == NOT_TEXT:
        raise RefusedRowError(f"has a {LABELS[field].lower()} that is not text")
    if _CONTROL.search(value):
        raise RefusedRowError(f"has a control character (such as NUL) in {LABELS[field].lower()}")
    if len(value) > limit:
        raise RefusedRowError(f"has a {LABELS[field].lower()} of {len(value):,} characters; {limit} fit")


def _kind(value: str) -> str | None:
    word = normalised(value)
    if not word:
        return None
    if word not in _KINDS:
        raise RefusedRowError(
            f"says {value.strip()!r} as its kind of account; person, shared, service and guest are known"
        )
    return _KINDS[word]


def _language(value: str) -> str:
    """en-gb or cy, by the first that is named; empty for any other, which is no reason to refuse a person."""
    word = _WORD.search(value.casefold())
    return _LANGUAGES.get(word[0], "") if word else ""

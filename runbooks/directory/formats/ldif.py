"""A directory as LDIF content records (RFC 2849): OpenLDAP's slapcat, Active Directory's ldifde."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from io import TextIOWrapper
from typing import BinaryIO, Final
from uuid import UUID

from runbooks.directory.formats.encoding import BrokenFileError, detect_encoding
from runbooks.directory.formats.rows import NOT_TEXT, Record, Rejections, check_columns

PERSON_CLASSES: Final = {"person", "organizationalperson", "inetorgperson", "user", "account", "posixaccount"}
OTHER_CLASSES: Final = {
    "computer",
    "group",
    "groupofnames",
    "posixgroup",
    "organizationalunit",
    "organization",
    "contact",
}
# Without an object class (an export of chosen attributes) these tell an account from the rest.
ACCOUNT_ATTRIBUTES: Final = {"userprincipalname", "samaccountname", "uid", "mail"}
# Never offered as a column: secrets, pictures, keys, and the classes themselves.
NEVER_SHOWN: Final = {
    "objectclass",
    "userpassword",
    "jpegphoto",
    "thumbnailphoto",
    "usercertificate",
    "memberof",
    "changetype",
}


@dataclass(slots=True)
class Entry:
    """One entry: first values by attribute, lower case, and its object classes. `line` is that of its dn."""

    line: int
    values: dict[str, str] = field(default_factory=dict)
    classes: set[str] = field(default_factory=set)

    @property
    def is_account(self) -> bool:
        if self.classes:
            return bool(self.classes & PERSON_CLASSES) and not self.classes & OTHER_CLASSES
        return bool(self.values.keys() & ACCOUNT_ATTRIBUTES)


class LdifFile:
    """Reads an LDIF file entry by entry. Entries that are no accounts are passed over and counted."""

    name = "ldif"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.encoding = detect_encoding(file)
        self.rejections = Rejections()
        self.passed_over = 0

    @cached_property
    def columns(self) -> list[str]:
        """The attributes of accounts, lower case, in the order they were met. Reads the whole file."""
        seen: dict[str, None] = {}
        for entry in self._entries():
            if entry.is_account:
                seen.update(dict.fromkeys(entry.values))
        columns = [name for name in seen if name not in NEVER_SHOWN]
        check_columns(1, columns)
        return columns

    def records(self) -> Iterator[Record]:
        """(line of the dn, {attribute: first value}) of each account. Raises BrokenFileError where the file breaks."""
        self.rejections, self.passed_over = Rejections(), 0
        for entry in self._entries():
            if entry.is_account:
                yield entry.line, entry.values
            else:
                self.passed_over += 1

    def _entries(self) -> Iterator[Entry]:
        entry: Entry | None = None
        for line, text in self._logical_lines():
            if not text:
                if entry is not None:
                    yield entry
                entry = None
            elif entry is not None:
                _take(entry, line, *_attribute(line, text))
            else:
                entry = _begin(line, *_attribute(line, text))
        if entry is not None:
            yield entry

    def _logical_lines(self) -> Iterator[tuple[int, str]]:
        """(number of the first line, text) with folded lines joined and comments left out; "" between entries."""
        self._file.seek(0)
        text = TextIOWrapper(self._file, encoding=self.encoding)
        start, parts = 0, [""]
        try:
            for number, raw in enumerate(text, start=1):
                if raw.startswith(" "):
                    if not parts[0]:
                        raise BrokenFileError(number, "a line that begins with a space continues nothing")
                    parts.append(raw[1:].rstrip("\n"))
                    continue
                if not parts[0].startswith("#"):
                    yield start, "".join(parts)
                start, parts = number, [raw.rstrip("\n")]
            if not parts[0].startswith("#"):
                yield start, "".join(parts)
        finally:
            text.detach()


def _begin(line: int, name: str, value: str) -> Entry | None:
    """The entry that a line opens; nothing for the version line before the first."""
    if name == "version":
        if value != "1":
            raise BrokenFileError(line, f"this is LDIF version {value}, and only version 1 is known")
        return None
    if name != "dn":
        raise BrokenFileError(line, f"an entry begins with {name!r} instead of dn")
    return Entry(line)


def _take(entry: Entry, line: int, name: str, value: str) -> None:
    if name in {"changetype", "control"}:
        raise BrokenFileError(line, f"this is a change record ({name}: {value}); export the entries themselves instead")
    if name == "dn":
        raise BrokenFileError(line, "an entry begins without an empty line before it")
    if name == "objectclass":
        entry.classes.add(value.lower())
    else:
        entry.values.setdefault(name, value)


def _attribute(line: int, text: str) -> tuple[str, str]:
    """(attribute in lower case without options, value) of one logical line."""
    name, colon, rest = text.partition(":")
    name = name.strip().lower()
    if not colon or not name or " " in name:
        raise BrokenFileError(line, "this is not “attribute: value”")
    name, _, option = name.partition(";")
    if rest.startswith("<"):
        raise BrokenFileError(
            line, f"{name} takes its value from {rest[1:].strip()}, and nothing is fetched from elsewhere"
        )
    if rest.startswith(":"):
        return name, _decoded(line, name, rest[1:].strip())
    # A value in another language (cn;lang-cy) must not stand in for the plain one.
    return (f"{name};{option}" if option else name), rest.strip()


def _decoded(line: int, name: str, value: str) -> str:
    try:
        content = base64.b64decode(value, validate=True)
    except binascii.Error:
        raise BrokenFileError(line, f"the Base64 value of {name} is cut off or damaged") from None
    if name == "objectguid" and len(content) == 16:
        return str(UUID(bytes_le=content))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return NOT_TEXT

"""Which column of a file fills which field of an account: guessed from the names, shown, corrected, remembered."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

IGNORED: Final = ""
# The login of rows that have neither a login nor a mail address, such as an LDAP entry with only a uid.
ACCOUNT_NAME: Final = "account_name"


@dataclass(frozen=True, slots=True)
class Field:
    """A field that a column can fill. `synonyms` are normalised column names, the likeliest first."""

    name: str
    label: str
    limit: int
    synonyms: tuple[str, ...]


FIELDS: Final = (
    Field("login", "Login", 320, ("userprincipalname", "upn", "login", "loginname", "signinname", "username", "user")),
    Field(ACCOUNT_NAME, "Login where there is no other", 320, ("samaccountname", "uid", "accountname", "account")),
    Field("display_name", "Display name", 320, ("displayname", "name", "fullname", "cn", "commonname", "gecos")),
    Field("given_name", "Given name", 160, ("givenname", "firstname", "forename", "gn")),
    Field("family_name", "Family name", 160, ("surname", "sn", "familyname", "lastname")),
    Field(
        "mail",
        "Mail",
        320,
        ("mail", "email", "emailaddress", "mailaddress", "primarysmtpaddress", "windowsemailaddress"),
    ),
    Field(
        "alternate_mail",
        "Alternate mail",
        320,
        (
            "alternateemailaddress",
            "alternatemail",
            "alternateemail",
            "othermail",
            "othermails",
            "personalemail",
            "recoveryemail",
        ),
    ),
    Field(
        "mobile", "Mobile", 64, ("mobilephone", "mobile", "mobilenumber", "mobiletelephonenumber", "cell", "cellphone")
    ),
    Field(
        "telephone",
        "Telephone",
        64,
        ("telephonenumber", "telephone", "phone", "phonenumber", "businessphones", "officephone"),
    ),
    Field("office", "Office", 160, ("physicaldeliveryofficename", "office", "officelocation", "roomnumber", "room")),
    Field("department", "Department", 160, ("department", "departmentnumber", "dept", "division", "ou")),
    Field("title", "Job title", 160, ("jobtitle", "title", "position")),
    Field(
        "language",
        "Language",
        5,
        ("preferredlanguage", "correspondencelanguage", "language", "lang", "locale"),
    ),
    Field("kind", "Kind of account", 40, ("usertype", "kind", "accounttype", "recipienttypedetails")),
    Field("is_enabled", "Enabled", 40, ("accountenabled", "enabled", "isenabled", "active", "useraccountcontrol")),
    Field("is_privileged", "Privileged", 40, ("isprivileged", "privileged", "isadmin", "admin", "admincount")),
    Field(
        "external_id",
        "Identifier in the directory",
        160,
        (
            "objectid",
            "objectguid",
            "entryuuid",
            "externalid",
            "immutableid",
            "ipauniqueid",
            "nsuniqueid",
            "employeenumber",
            "id",
        ),
    ),
)
LABELS: Final = {field.name: field.label for field in FIELDS}
LIMITS: Final = {field.name: field.limit for field in FIELDS}
# What an account can be signed in to or found by: one of these must be filled from the file.
IDENTIFYING: Final = ("login", "mail", ACCOUNT_NAME)
LDIF_DIGEST: Final = hashlib.sha256(b"ldif").hexdigest()


def normalised(column: str) -> str:
    """A column's name as it is compared: letters and digits only, in one case."""
    return "".join(letter for letter in column.casefold() if letter.isalnum())


def guess(columns: Iterable[str]) -> dict[str, str]:
    """{column: field, or "" where none is recognised}. No field is filled twice: the likelier name wins."""
    names = {normalised(column): column for column in reversed(list(columns))}
    guessed = dict.fromkeys(reversed(names.values()), IGNORED)
    for field in FIELDS:
        found = next((names[name] for name in field.synonyms if name in names), None)
        if found is not None and guessed[found] == IGNORED:
            guessed[found] = field.name
    return guessed


def overruled(suggested: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """The suggestion with somebody's choice for some columns; a field they gave to one column leaves the others."""
    known = {column: field for column, field in chosen.items() if column in suggested}
    taken = set(known.values())
    return {column: known.get(column, IGNORED if field in taken else field) for column, field in suggested.items()}


def digest(file_format: str, columns: Iterable[str]) -> str:
    """What a mapping is remembered by: the normalised header row; for LDIF, which has none, the format."""
    if file_format == "ldif":
        return LDIF_DIGEST
    return hashlib.sha256("\n".join(normalised(column) for column in columns).encode()).hexdigest()


def problems(chosen: Mapping[str, str]) -> list[str]:
    """What keeps a mapping from being used; empty when it will do."""
    found: dict[str, list[str]] = {}
    for column, field in chosen.items():
        if field:
            found.setdefault(field, []).append(column)
    wrong = [
        f"{' and '.join(columns)} both fill “{LABELS[field]}”. Keep one of them."
        for field, columns in found.items()
        if field in LABELS and len(columns) > 1
    ]
    wrong += [f"There is no field {field!r}." for field in found if field not in LABELS]
    if not found.keys() & set(IDENTIFYING):
        wrong.append("No column fills the login. Choose the one that holds it, such as userPrincipalName or mail.")
    return wrong

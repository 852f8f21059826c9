"""Importing a directory of 9,000 accounts, previewed and applied, next to a bare bulk_create of the same rows.

The import reads the Entra export twice (preview, apply), checks every value, compares with the directory and works out
the keys by which lines of a list find an account. The bulk_create is handed finished objects, keys and all.
"""

import csv
import sys
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils import timezone
from harness import Claim, Side, alternate, conclude, is_quick, portal

from runbooks.access.permissions import COMMAND_LINE
from runbooks.directory.formats import open_directory_file
from runbooks.directory.models import Account
from runbooks.directory.operations import import_file
from runbooks.directory.queries import preview_file, suggested_columns

TARGET = 3.0
COLUMNS = [
    "userPrincipalName",
    "displayName",
    "surname",
    "mail",
    "givenName",
    "objectId",
    "userType",
    "jobTitle",
    "department",
    "accountEnabled",
    "usageLocation",
    "streetAddress",
    "state",
    "country",
    "physicalDeliveryOfficeName",
    "city",
    "postalCode",
    "telephoneNumber",
    "mobilePhone",
    "authenticationAlternativePhoneNumber",
    "authenticationEmail",
    "alternateEmailAddress",
    "ageGroup",
    "consentProvidedForMinor",
    "legalAgeGroupClassification",
    "companyName",
    "creationType",
    "directorySynced",
    "invitationState",
    "identityIssuer",
    "createdDateTime",
]
GIVEN = ("Alba", "Bryn", "Cerys", "Dara", "Eilidh", "Finn", "Gwen", "Hamish", "Iona", "Zoë")
FAMILY = ("Ashdown", "Birkmere", "Coldstead", "Dunley", "Elmwick", "O'Farne", "Garth-Ley", "Holmby", "Inchford")


def write_export(path: Path, accounts: int) -> None:
    """An export as the Entra admin centre's "Download users" writes it: 31 columns, UTF-8 with a byte-order mark."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        for number in range(accounts):
            given, family = GIVEN[number % len(GIVEN)], f"{FAMILY[number % len(FAMILY)]}{number}"
            login = f"person{number}@parliament.example"
            writer.writerow(
                {
                    "userPrincipalName": login,
                    "displayName": f"{family}, {given}",
                    "surname": family,
                    "mail": login,
                    "givenName": given,
                    "objectId": f"00000000-0000-4000-8000-{number:012d}",
                    "userType": "Member",
                    "jobTitle": "Parliamentary assistant",
                    "department": "Members' staff",
                    "accountEnabled": "True",
                    "usageLocation": "GB",
                    "country": "United Kingdom",
                    "physicalDeliveryOfficeName": f"Room {number % 480}",
                    "city": "London",
                    "telephoneNumber": f"020 7946 0{number % 1000:03d}",
                    "mobilePhone": f"+447700900{number % 1000:03d}",
                    "alternateEmailAddress": f"person{number}@home.example" if number % 3 == 0 else "",
                    "companyName": "Parliament (fictitious)",
                    "directorySynced": "True",
                    "createdDateTime": "2014-03-12T09:00:00Z",
                }
            )


def measure(export: Path) -> list[Claim]:
    def preview_and_apply(_: object = None) -> None:
        with export.open("rb") as file:
            opened = open_directory_file(file)
            preview_file(opened, suggested_columns(opened))
            import_file(actor=COMMAND_LINE, file=file, file_name=export.name, at=timezone.now())

    def empty() -> None:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE runbooks_account CASCADE")

    preview_and_apply()
    fields = [field.attname for field in Account._meta.concrete_fields if not field.primary_key]
    rows: list[dict[str, Any]] = list(Account.objects.values(*fields))

    def objects() -> list[Account]:
        empty()
        return [Account(**row) for row in rows]

    def loaded() -> None:
        empty()
        Account.objects.bulk_create([Account(**row) for row in rows])

    seconds = alternate(
        {
            "first import": Side(preview_and_apply, empty),
            "the same file again": Side(preview_and_apply, loaded),
            "bare bulk_create": Side(Account.objects.bulk_create, objects),
        }
    )
    bare = seconds.pop("bare bulk_create")
    return [Claim(name, taken / bare, TARGET) for name, taken in seconds.items()]


def main() -> int:
    quick = is_quick(__doc__)
    accounts = 2000 if quick else 9000
    with portal() as folder:
        export = folder / "entra-users.csv"
        write_export(export, accounts)
        print(f"{accounts:,} accounts, {export.stat().st_size / 1e6:.1f} MB")
        return conclude("import_directory", measure(export))


if __name__ == "__main__":
    sys.exit(main())

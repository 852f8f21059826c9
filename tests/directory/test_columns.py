import csv
from io import StringIO

import pytest

from runbooks.directory.columns import digest, guess, overruled, problems
from tests.directory.institution import generator


def filled(columns: list[str]) -> dict[str, str]:
    """{field: column} of the guess."""
    return {field: column for column, field in guess(columns).items() if field}


def test_every_column_of_the_entra_export_finds_its_field() -> None:
    assert filled(list(generator().ENTRA_COLUMNS)) == {
        "login": "userPrincipalName",
        "display_name": "displayName",
        "given_name": "givenName",
        "family_name": "surname",
        "mail": "mail",
        "alternate_mail": "alternateEmailAddress",
        "mobile": "mobilePhone",
        "telephone": "telephoneNumber",
        "office": "physicalDeliveryOfficeName",
        "department": "department",
        "title": "jobTitle",
        "kind": "userType",
        "is_enabled": "accountEnabled",
        "external_id": "objectId",
    }


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "User principal name,Display Name,First name,Last name,E-mail address,Mobile number",
            {"login", "display_name", "given_name", "family_name", "mail", "mobile"},
        ),
        ("USERNAME;Full_Name;EMAIL", {"login", "display_name", "mail"}),
        ("sAMAccountName,cn,sn,givenName,userAccountControl", {"account_name", "display_name", "family_name"}),
    ],
)
def test_names_are_recognised_however_they_are_spelt(header: str, expected: set[str]) -> None:
    columns = next(csv.reader(StringIO(header), delimiter=";" if ";" in header else ","))
    assert expected <= filled(columns).keys()


@pytest.mark.parametrize("column", ["preferredLanguage", "language", "Lang", "locale", "correspondence language"])
def test_the_language_has_many_names(column: str) -> None:
    assert filled(["login", column])["language"] == column


def test_no_field_is_filled_by_two_columns() -> None:
    assert guess(["displayName", "cn", "name"]) == {"displayName": "display_name", "cn": "", "name": ""}


def test_a_field_that_somebody_gives_to_one_column_leaves_the_other() -> None:
    suggested = guess(["login", "mail", "work mail"])
    assert overruled(suggested, {"work mail": "mail", "not there": "title"}) == {
        "login": "login",
        "mail": "",
        "work mail": "mail",
    }


def test_a_mapping_needs_something_to_sign_in_with() -> None:
    assert problems({"a": "display_name"}) == [
        "No column fills the login. Choose the one that holds it, such as userPrincipalName or mail."
    ]
    assert problems({"a": "mail"}) == []
    assert problems({"a": "account_name"}) == []


def test_a_mapping_names_what_is_filled_twice_and_what_is_no_field() -> None:
    assert problems({"a": "login", "b": "title", "c": "title", "d": "shoe_size"}) == [
        "b and c both fill “Job title”. Keep one of them.",
        "There is no field 'shoe_size'.",
    ]


def test_a_header_is_remembered_whatever_its_spelling_and_ldif_as_one() -> None:
    assert digest("csv", ["User name", "Mail"]) == digest("csv", ["user_name", "MAIL"])
    assert digest("csv", ["a", "b"]) != digest("csv", ["b", "a"])
    assert digest("ldif", ["a"]) == digest("ldif", ["b"])

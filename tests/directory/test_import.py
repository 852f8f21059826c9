from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from runbooks.directory.formats import BrokenFileError, open_directory_file
from runbooks.directory.models import Account, DirectoryImport, HeaderMapping
from runbooks.directory.operations import BadMappingError, NotHarmlessError, NothingToImportError, TooManyGoneError
from runbooks.directory.queries import preview_file, suggested_columns
from tests.directory.institution import CARRIED_BY_LDIF, load, make_institution, rows

pytestmark = pytest.mark.django_db

HEADER = "login,display name,mail,mobile,enabled,kind,object id\n"
EVERYTHING = [field.name for field in Account._meta.fields]


def counts(imported: DirectoryImport) -> tuple[int, ...]:
    return tuple(imported.counts[name] for name in ("new", "changed", "gone", "unchanged", "rejected"))


def refused(content: str) -> list[tuple[int, str]]:
    """What a file's rejected rows are told, by way of the preview that an import makes."""
    file = open_directory_file(BytesIO(content.encode()))
    shown = preview_file(file, suggested_columns(file), verdict="rejected")
    return [(rejection.line, rejection.reason) for rejection in shown.rejections]


def test_csv_and_ldif_give_the_same_directory(tmp_path: Path) -> None:
    made = make_institution(tmp_path, accounts=400)
    load(made.csv.read_bytes())
    from_csv = rows(*CARRIED_BY_LDIF[:-1])
    keys = dict(rows("login", "match_keys"))
    Account.objects.all().delete()
    imported = load(made.ldif.read_bytes(), name="directory.ldif")
    assert rows(*CARRIED_BY_LDIF[:-1]) == from_csv
    # The LDIF does not carry the private addresses, which are a key as well.
    assert {login: [key for key in found if not key.startswith("p:")] for login, found in keys.items()} == dict(
        rows("login", "match_keys")
    )
    assert imported.file_format == "ldif"
    assert imported.counts["passed_over"] == 5


def test_ldif_after_csv_changes_nothing_and_keeps_what_it_does_not_carry(tmp_path: Path) -> None:
    made = make_institution(tmp_path, accounts=400)
    load(made.csv.read_bytes())
    before = rows(*(name for name in EVERYTHING if name != "last_seen_at"))
    imported = load(made.ldif.read_bytes())
    assert counts(imported) == (0, 0, 0, 400, 0)
    assert rows(*(name for name in EVERYTHING if name != "last_seen_at")) == before


def test_reading_a_file_twice_changes_nothing(tmp_path: Path) -> None:
    made = make_institution(tmp_path, accounts=400)
    assert counts(load(made.csv.read_bytes())) == (400, 0, 0, 0, 0)
    before = rows(*(name for name in EVERYTHING if name != "last_seen_at"))
    assert counts(load(made.csv.read_bytes())) == (0, 0, 0, 400, 0)
    assert rows(*(name for name in EVERYTHING if name != "last_seen_at")) == before


def test_every_column_of_the_export_arrives() -> None:
    load(
        "userPrincipalName,displayName,surname,mail,givenName,objectId,userType,jobTitle,department,accountEnabled,"
        "physicalDeliveryOfficeName,telephoneNumber,mobilePhone,alternateEmailAddress\n"
        'Zoe@b.example,"Example,  Zoë",Example,z.e@b.example,Zoë,42,Guest,Clerk,Library,False,'
        "Room 1,020 7946 0001,+447700900001,zoe@home.example;second@home.example\n"
    )
    account = Account.objects.get()
    assert account.login == "Zoe@b.example"
    assert account.display_name == "Example, Zoë"
    assert (account.family_name, account.given_name) == ("Example", "Zoë")
    assert (account.mail, account.alternate_mail) == ("z.e@b.example", "zoe@home.example")
    assert (account.mobile, account.telephone, account.office) == ("+447700900001", "020 7946 0001", "Room 1")
    assert (account.title, account.department, account.external_id) == ("Clerk", "Library", "42")
    assert account.kind == Account.Kind.GUEST
    assert not account.is_enabled
    assert not account.is_privileged
    assert account.gone_at is None
    assert account.contact_changed_at is None


def test_changes_are_written_and_everything_else_stays() -> None:
    load(HEADER + "a@b.example,Old Name,a@b.example,1,yes,member,7\nb@b.example,B,,2,,,8\n")
    Account.objects.update(department="Library", first_seen_at=timezone.now() - timedelta(days=9))
    first = Account.objects.get(login="b@b.example")
    imported = load("login,display name\nA@B.EXAMPLE,New Name\nb@b.example,B\n")
    assert counts(imported) == (0, 1, 0, 1, 0)
    account = Account.objects.get(login="A@B.EXAMPLE")
    assert (account.display_name, account.mobile, account.department, account.external_id) == (
        "New Name",
        "1",
        "Library",
        "7",
    )
    assert "n:new name" in account.match_keys
    assert "a:a@b.example" in account.match_keys
    assert "n:old name" not in account.match_keys
    again = Account.objects.get(login="b@b.example")
    assert again.last_seen_at > first.last_seen_at
    assert again.first_seen_at == first.first_seen_at


def test_an_empty_value_of_a_carried_text_empties_it_but_not_a_switch() -> None:
    load(HEADER + "a@b.example,Name,a@b.example,1,no,guest,7\n")
    load(HEADER + "a@b.example,Name,,,,,7\n")
    account = Account.objects.get()
    assert (account.mail, account.mobile) == ("", "")
    assert not account.is_enabled
    assert account.kind == Account.Kind.GUEST


def test_a_new_number_or_address_is_dated() -> None:
    load(HEADER + "a@b.example,A,,1,,,\nb@b.example,B,,2,,,\n")
    before = timezone.now()
    load(HEADER + "a@b.example,A,,3,,,\nb@b.example,C,,2,,,\n")
    changed = dict(rows("login", "contact_changed_at"))
    assert changed["a@b.example"] > before
    assert changed["b@b.example"] is None


def test_a_number_filled_for_the_first_time_in_a_known_account_is_dated() -> None:
    load("login,display name\na@b.example,A\nb@b.example,B\n")
    before = timezone.now()
    load("login,display name,mobile\na@b.example,A,07700 900123\nb@b.example,B,\nc@b.example,C,07700 900124\n")
    changed = dict(rows("login", "contact_changed_at"))
    assert changed["a@b.example"] > before
    assert (changed["b@b.example"], changed["c@b.example"]) == (None, None)


PLACES = "login,office,department,title\n"


@pytest.mark.parametrize(
    ("first", "then", "is_dated"),
    [
        ("Room 1,Library,Clerk", "Room 2,Library,Clerk", True),
        (",Library,Clerk", "Room 2,Library,Clerk", True),
        ("Room 1,Library,Clerk", ",Library,Clerk", True),
        (",Library,Clerk", ",Hansard,Clerk", True),
        ("Room 1,Library,Clerk", "Room 1,Hansard,Clerk", False),
        ("Room 1,Library,Clerk", "Room 1,Library,Editor", False),
    ],
)
def test_where_letters_go_is_dated_when_it_changes(first: str, then: str, is_dated: bool) -> None:
    load(f"{PLACES}a@b.example,{first}\n")
    load(f"{PLACES}a@b.example,{then}\n")
    assert (Account.objects.get().contact_changed_at is not None) is is_dated


LANGUAGES = {
    "cy": "cy", "cy-GB": "cy", "cy_GB.UTF-8": "cy", "Welsh": "cy", "CYMRAEG": "cy", "cy, en;q=0.8": "cy",
    "Welsh (United Kingdom)": "cy", "en": "en-gb", "en-US": "en-gb", "English": "en-gb", "Saesneg": "en-gb",
    "en-GB;q=1, cy;q=0.5": "en-gb", "fr": "", "fr, cy;q=0.8": "", "Cyrillic": "", "42": "", "?" * 400: "", "": "",
}  # fmt: skip


def test_languages_are_read_as_english_or_welsh_and_no_other_is_a_fault() -> None:
    lines = [f'p{number:02}@b.example,"{said}"\n' for number, said in enumerate(LANGUAGES)]
    imported = load("login,preferredLanguage\n" + "".join(lines))
    assert counts(imported) == (len(LANGUAGES), 0, 0, 0, 0)
    assert [found for (found,) in rows("language")] == list(LANGUAGES.values())


def test_the_language_of_an_ldif_is_its_preferred_language() -> None:
    person = "dn: uid={0}\nobjectClass: inetOrgPerson\nmail: {0}@b.example\npreferredLanguage:{1}\n\n"
    load(person.format("a", " cy-GB") + person.format("b", ": /w==") + person.format("c", " en"), name="people.ldif")
    assert rows("language") == [("cy",), ("",), ("en-gb",)]


def test_a_file_without_languages_keeps_them_and_an_empty_one_empties_it() -> None:
    load("login,language\na@b.example,cy\nb@b.example,cy\n")
    assert counts(load("login,title\na@b.example,\nb@b.example,\n")) == (0, 0, 0, 2, 0)
    assert rows("language") == [("cy",), ("cy",)]
    assert counts(load("login,language\na@b.example,Welsh\nb@b.example,\n")) == (0, 1, 0, 1, 0)
    assert rows("language", "contact_changed_at") == [("cy", None), ("", None)]


def test_accounts_not_in_the_file_are_marked_as_gone_and_kept() -> None:
    load(HEADER + "".join(f"p{n}@b.example,P,,,,,\n" for n in range(10)))
    imported = load(HEADER + "".join(f"p{n}@b.example,P,,,,,\n" for n in range(9)))
    assert counts(imported) == (0, 0, 1, 9, 0)
    gone = Account.objects.get(login="p9@b.example")
    assert gone.gone_at is not None
    assert counts(load(HEADER + "".join(f"p{n}@b.example,P,,,,,\n" for n in range(9)))) == (0, 0, 0, 9, 0)
    assert Account.objects.get(login="p9@b.example").gone_at == gone.gone_at


def test_an_account_that_comes_back_is_a_change() -> None:
    load(HEADER + "a@b.example,A,,,,,\n" + "".join(f"p{n}@b.example,P,,,,,\n" for n in range(9)))
    everybody = HEADER + "a@b.example,A,,,,,\n" + "".join(f"p{n}@b.example,P,,,,,\n" for n in range(9))
    load(everybody.replace("a@b.example,A,,,,,\n", ""))
    assert counts(load(everybody)) == (0, 1, 0, 9, 0)
    assert Account.objects.get(login="a@b.example").gone_at is None


def test_more_than_a_fifth_gone_needs_a_word() -> None:
    load(HEADER + "".join(f"p{n}@b.example,P,,,,,\n" for n in range(10)))
    most = HEADER + "".join(f"p{n}@b.example,P,,,,,\n" for n in range(7))
    with pytest.raises(TooManyGoneError, match="3 of 10 known accounts"):
        load(most)
    assert not Account.objects.filter(gone_at__isnull=False).exists()
    assert counts(load(most, allow_gone=True)) == (0, 0, 3, 7, 0)


def test_an_account_whose_row_is_refused_is_not_gone() -> None:
    everybody = [f"p{n}@b.example,P,,,,,\n" for n in range(10)]
    load(HEADER + "".join(everybody))
    imported = load(HEADER + "p0@b.example,P,no mail,,,,\np1@b.example,P\n" + "".join(everybody[2:]))
    assert counts(imported) == (0, 0, 0, 8, 2)


def test_a_renamed_account_is_known_by_its_identifier() -> None:
    load(HEADER + "jane.smith@b.example,Smith,,,,,7\nb@b.example,B,,,,,8\n")
    pk = Account.objects.get(external_id="7").pk
    imported = load(HEADER + "jane.jones@b.example,Jones,,,,,7\nb@b.example,B,,,,,8\n")
    assert counts(imported) == (0, 1, 0, 1, 0)
    assert Account.objects.get(login="jane.jones@b.example").pk == pk


def test_accounts_may_exchange_their_logins() -> None:
    load(HEADER + "a@b.example,A,,,,,1\nb@b.example,B,,,,,2\nc@b.example,C,,,,,3\n")
    before = dict(rows("external_id", "pk"))
    load(HEADER + "b@b.example,A,,,,,1\nc@b.example,B,,,,,2\na@b.example,C,,,,,3\n")
    assert dict(rows("external_id", "pk")) == before
    assert dict(rows("external_id", "login")) == {"1": "b@b.example", "2": "c@b.example", "3": "a@b.example"}


def test_a_login_that_another_account_holds_decides_against_the_identifier() -> None:
    load(HEADER + "a@b.example,A,,,,,1\nb@b.example,B,,,,,2\n" + "".join(f"p{n}@b.example,P,,,,,\n" for n in range(9)))
    load(HEADER + "b@b.example,A,,,,,1\n" + "".join(f"p{n}@b.example,P,,,,,\n" for n in range(9)))
    assert Account.objects.get(login="b@b.example").external_id == "1"
    assert Account.objects.get(login="a@b.example").gone_at is not None


def test_an_identifier_that_several_share_says_nothing() -> None:
    load(HEADER + "a@b.example,A,,,,,0\nb@b.example,B,,,,,0\n")
    assert counts(load(HEADER + "b@b.example,B,,,,,0\na@b.example,A,,,,,0\n")) == (0, 0, 0, 2, 0)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Nobody,,,,,", "has no login: the columns that may hold one are empty"),
        ("A@B.example,Again,,,,,", "repeats the login A@B.example of line 2"),
        ("c@b.example,C,not a mail address,,,,", "has 'not a mail address' as mail, which is no mail address"),
        ("c@b.example," + "x" * 321 + ",,,,,", "has a display name of 321 characters; 320 fit"),
        ("c@b.example,C\x00D,,,,,", "has a control character (such as NUL) in display name"),
        ("c@b.example,C,,,perhaps,,", "says 'perhaps' under enabled, which is neither yes nor no"),
        (
            "c@b.example,C,,,,robot,",
            "says 'robot' as its kind of account; person, shared, service and guest are known",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_line_and_reason(row: str, reason: str) -> None:
    content = HEADER + "a@b.example,A,,,,,\n" + row + "\nd@b.example,D,,,,,\n"
    assert refused(content) == [(3, reason)]
    assert counts(load(content)) == (2, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (HEADER + 'a@b.example,A,,,,,\nc@b.example,"C,,,,,\n', 3),
        (HEADER.encode() + "a@b.example,Zoë,,,,,\n".encode() + b"c@b.example,\xff,,,,,\n", 3),
        (HEADER + "a@b.example,A,,,,,\nc@b.example,C", 3),
        ("dn: uid=a\nobjectClass: person\nuid: a\n\ndn: uid=c\nobjectClass: person\nuid c\n", 7),
    ],
)
def test_a_file_that_breaks_half_way_changes_nothing(content: bytes | str, line: int) -> None:
    load(HEADER + "a@b.example,Before,,,,,\nb@b.example,B,,,,,\n")
    before = rows(*EVERYTHING)
    with pytest.raises(BrokenFileError) as broken:
        load(content, allow_gone=True)
    assert broken.value.line == line
    assert rows(*EVERYTHING) == before
    assert DirectoryImport.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'directory\\_%'")
        assert cursor.fetchone() == (0,)


def test_the_login_is_the_principal_name_else_the_mail_else_the_short_name() -> None:
    person = "objectClass: user\nsAMAccountName: short{n}\n"
    load(
        "dn: cn=1\n" + person.format(n=1) + "mail: m1@b.example\nuserPrincipalName: p1@b.example\n\n"
        "dn: cn=2\n" + person.format(n=2) + "mail: m2@b.example\n\n"
        "dn: cn=3\n" + person.format(n=3) + "\n"
    )
    assert rows("login") == [("m2@b.example",), ("p1@b.example",), ("short3",)]


def test_active_directory_says_disabled_in_a_bit() -> None:
    entry = "dn: cn={n}\nobjectClass: user\nuserPrincipalName: p{n}@b.example\nuserAccountControl: {flags}\n\n"
    load(entry.format(n=1, flags=512) + entry.format(n=2, flags=514) + entry.format(n=3, flags=66048))
    assert rows("login", "is_enabled") == [("p1@b.example", True), ("p2@b.example", False), ("p3@b.example", True)]


def test_a_value_that_is_no_text_refuses_the_entry_only_where_it_is_used() -> None:
    entry = "dn: cn={n}\nobjectClass: user\nuid: a{n}\n{line}\n\n"
    content = entry.format(n=1, line="cn:: //79") + entry.format(n=2, line="auditLog:: //79")
    assert refused(content) == [(1, "has a display name that is not text")]
    load(content)
    assert rows("login") == [("a2",)]


def test_a_chosen_mapping_is_used_and_remembered_for_the_header() -> None:
    content = "who,what,where\nzoe@b.example,Clerk,Room 1\n"
    with pytest.raises(BadMappingError, match="No column fills the login"):
        load(content)
    load(content, columns={"who": "login", "where": "office"})
    assert rows("login", "office", "title") == [("zoe@b.example", "Room 1", "")]
    later = load("WHO,What,Where\nzoe@b.example,Clerk,Room 2\n".lower())
    assert counts(later) == (0, 1, 0, 0, 0)
    assert HeaderMapping.objects.count() == 1


def test_only_additions_means_only_additions() -> None:
    load(HEADER + "a@b.example,A,,,,,\n", only_additions=True)
    load(HEADER + "a@b.example,A,,,,,\nb@b.example,B,,,,,\n", only_additions=True)
    for content in (
        "a@b.example,Changed,,,,,\nb@b.example,B,,,,,\n",
        "a@b.example,A,,,,,\n",
        "a@b.example,A,,,,,\nx\n",
    ):
        with pytest.raises(NotHarmlessError):
            load(HEADER + content, only_additions=True)
    assert rows("login", "display_name") == [("a@b.example", "A"), ("b@b.example", "B")]


def test_a_file_without_accounts_never_empties_the_directory() -> None:
    load(HEADER + "a@b.example,A,,,,,\n")
    with pytest.raises(NothingToImportError):
        load(HEADER, allow_gone=True)
    assert Account.objects.get().gone_at is None


def test_the_import_itself_is_on_record() -> None:
    imported = load(HEADER + "a@b.example,A,,,,,\nb@b.example,B,bad,,,,\n", name="export of june.csv")
    kept = DirectoryImport.objects.get()
    assert kept == imported
    assert (kept.file_name, kept.file_format, kept.uploaded_by) == ("export of june.csv", "csv", "Command line")
    assert kept.status == DirectoryImport.Status.APPLIED
    assert kept.applied_at is not None
    assert len(kept.sha256) == 64
    assert kept.size == len(HEADER) + len("a@b.example,A,,,,,\nb@b.example,B,bad,,,,\n")
    assert kept.columns["mobile"] == "mobile"
    assert kept.counts == {
        "new": 1,
        "changed": 0,
        "gone": 0,
        "unchanged": 0,
        "rejected": 1,
        "passed_over": 0,
        "known": 0,
    }

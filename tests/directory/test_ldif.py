import base64
from io import BytesIO
from uuid import UUID

import pytest

from runbooks.directory.formats import BrokenFileError, LdifFile, open_directory_file
from runbooks.directory.formats.rows import NOT_TEXT

PERSON = "dn: uid={uid},ou=people\nobjectClass: inetOrgPerson\nuid: {uid}\n"


def read(content: bytes | str) -> LdifFile:
    return LdifFile(BytesIO(content.encode() if isinstance(content, str) else content))


def entries(content: bytes | str) -> list[tuple[int, dict[str, str]]]:
    return list(read(content).records())


def test_folded_lines_are_joined_and_comments_left_out() -> None:
    content = (
        "version: 1\n# a comment\n# that is\n  folded\n\n"
        + PERSON.format(uid="zoe")
        + "cn: Zoe \n Example\n# between\nmail: zoe@\n b.example\n"
    )
    assert entries(content) == [(6, {"uid": "zoe", "cn": "Zoe Example", "mail": "zoe@b.example"})]


def test_base64_values_are_utf_8() -> None:
    encoded = base64.b64encode("Ολα Μερης".encode()).decode()
    content = PERSON.format(uid="ola") + f"cn:: {encoded[:5]}\n {encoded[5:]}\n"
    assert entries(content)[0][1]["cn"] == "Ολα Μερης"


def test_the_guid_of_active_directory_is_written_as_people_know_it() -> None:
    guid = UUID("12345678-1234-5678-1234-567812345678")
    content = PERSON.format(uid="a") + f"objectGUID:: {base64.b64encode(guid.bytes_le).decode()}\n"
    assert entries(content)[0][1]["objectguid"] == str(guid)


def test_bytes_that_are_no_text_are_marked_as_such() -> None:
    encoded = base64.b64encode(b"\xff\xfe\x00").decode()
    content = PERSON.format(uid="a") + f"cn:: {encoded}\n"
    assert entries(content)[0][1]["cn"] == NOT_TEXT


def test_of_several_values_the_first_counts_and_languages_stand_apart() -> None:
    content = PERSON.format(uid="a") + "cn;lang-cy: Sioned\ncn: Jane\ncn: Janey\n"
    values = entries(content)[0][1]
    assert values["cn"] == "Jane"
    assert values["cn;lang-cy"] == "Sioned"


def test_units_groups_computers_and_contacts_are_passed_over_and_counted() -> None:
    others = "".join(
        f"dn: cn=x{number}\nobjectClass: top\n{classes}\ncn: x\nmail: x@b.example\n\n"
        for number, classes in enumerate(
            (
                "objectClass: organizationalUnit",
                "objectClass: groupOfNames",
                "objectClass: user\nobjectClass: computer",
                "objectClass: contact",
            )
        )
    )
    file = read(others + PERSON.format(uid="a"))
    assert [values["uid"] for _, values in file.records()] == ["a"]
    assert file.passed_over == 4


def test_without_object_classes_a_login_makes_an_account() -> None:
    file = read("dn: cn=a\nsAMAccountName: a\n\ndn: ou=b\nou: b\n")
    assert [values for _, values in file.records()] == [{"samaccountname": "a"}]
    assert file.passed_over == 1


def test_passwords_pictures_and_classes_are_never_offered_as_columns() -> None:
    file = read(PERSON.format(uid="a") + "userPassword: {SSHA}x\njpegPhoto:: /9j/\ncn: A\n")
    assert file.columns == ["uid", "cn"]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (" begins\n", 1, "continues nothing"),
        (PERSON.format(uid="a") + "\n cn: b\n", 5, "continues nothing"),
        (PERSON.format(uid="a") + "no colon here\n", 4, "not “attribute: value”"),
        ("uid: a\n", 1, "begins with 'uid' instead of dn"),
        (PERSON.format(uid="a") + PERSON.format(uid="b"), 4, "without an empty line"),
        ("version: 2\n", 1, "only version 1"),
        ("dn: cn=a\nchangetype: modify\nreplace: mail\nmail: b\n-\n", 2, "change record"),
        ("dn: cn=a\ncontrol: 1.2.3 true\nchangetype: delete\n", 2, "change record"),
        (PERSON.format(uid="a") + "cn:< file:///etc/passwd\n", 4, "nothing is fetched"),
        (PERSON.format(uid="a") + "cn:: Zm9v!\n", 4, "Base64 value of cn"),
        (PERSON.format(uid="a") + "cn:: Zm9vY\n", 4, "Base64 value of cn"),
    ],
)
def test_what_is_not_plain_content_breaks_the_file_at_its_line(content: str, line: int, reason: str) -> None:
    with pytest.raises(BrokenFileError) as broken:
        entries(content)
    assert broken.value.line == line
    assert reason in broken.value.reason


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_ldif_is_recognised_by_its_content(encoding: str) -> None:
    content = "# exported\n#  folded\n version: 9\n\nversion: 1\n\n" + PERSON.format(uid="zoë")
    opened = open_directory_file(BytesIO(content.encode(encoding)))
    assert isinstance(opened, LdifFile)
    assert [values["uid"] for _, values in opened.records()] == ["zoë"]


def test_anything_else_is_csv() -> None:
    assert open_directory_file(BytesIO(b"# staff\ndn,mail\n")).name == "csv"
    assert open_directory_file(BytesIO(b"login,mail\n")).name == "csv"

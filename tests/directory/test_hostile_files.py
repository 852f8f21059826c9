"""Files that nobody exports by mistake: each is refused with its line, at once, and nothing of it is kept."""

from io import BytesIO

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.directory.formats import BrokenFileError, open_directory_file
from runbooks.directory.models import Account, DirectoryImport
from runbooks.directory.operations import import_file, stage_import

MANY = 100_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"mail" + b"," * MANY + b"\n", "500 are the most"),
        (b"mail," * MANY + b"\n", "500 are the most"),
        (b"mail," + b"x" * 300 + b"\n", "longer than 200 characters"),
        (b"mail,a\x00b\na@parliament.example,1\n", "control character"),
        ("mail,\u202eliam\na@parliament.example,1\n".encode(), "control character"),
        (b"dn: cn=a\nmail: a@parliament.example\na\x00b: 1\n", "control character"),
        (b"dn: cn=a\nmail: a@x\n" + b"".join(b"a%d: 1\n" % n for n in range(600)), "500 are the most"),
    ],
)
def test_a_header_that_cannot_be_one_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(BrokenFileError, match=reason):
        assert open_directory_file(BytesIO(content)).columns is None


@pytest.mark.django_db
def test_a_number_of_thousands_of_digits_is_a_rejected_row(coordinator: User) -> None:
    content = b"mail,userAccountControl\na@parliament.example," + b"9" * 5000 + b"\nb@parliament.example,512\n"
    imported = import_file(actor=actor_for(coordinator), file=BytesIO(content), file_name="d.csv", at=timezone.now())
    assert (imported.counts["rejected"], imported.counts["new"]) == (1, 1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "content",
    [
        b"mail,displayName\na@parliament.example,\x00\x00\n",
        b"mail,displayName\n\x00@parliament.example,A\n",
        b'mail,displayName\na@parliament.example,"' + b"\n" * 5000 + b'"\n',
        b"mail\n" + b"\n" * 5000 + b"a@parliament.example\n",
        b"dn: cn=a\nmail:: AAAA\n",
        b"dn: cn=a\nmail: a@parliament.example\ncn:: " + b"AAAA" * 1000 + b"\n",
    ],
)
def test_odd_bytes_inside_rows_are_read_or_rejected_and_never_break_the_import(
    content: bytes, coordinator: User
) -> None:
    staged = stage_import(actor=actor_for(coordinator), file=BytesIO(content), file_name="d.csv", at=timezone.now())
    assert staged.counts["new"] + staged.counts["rejected"] == 1
    assert not Account.objects.exists()
    assert DirectoryImport.objects.get().status == DirectoryImport.Status.STAGED

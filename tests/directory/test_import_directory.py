import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from runbooks.directory.models import Account, DirectoryImport
from tests.directory.institution import make_institution, rows

pytestmark = pytest.mark.django_db

HEADER = "login,display name\n"


def run(file: Path, *arguments: str) -> str:
    output = StringIO()
    call_command("import_directory", str(file), *arguments, stdout=output)
    return output.getvalue()


def as_json(file: Path, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(file, "--json", *arguments))
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "staff.csv"
    path.write_text(HEADER + "a@b.example,A\nb@b.example,B\n")
    return path


def test_a_first_load_is_applied_without_asking(tmp_path: Path) -> None:
    made = make_institution(tmp_path, accounts=50)
    output = run(made.csv)
    assert "userPrincipalName fills “Login”" in output
    assert "Applied. The file holds 50 accounts." in output
    assert Account.objects.count() == 50


def test_additions_alone_are_applied_too(file: Path) -> None:
    run(file)
    file.write_text(file.read_text() + "c@b.example,C\n")
    assert as_json(file)["applied"]
    assert Account.objects.count() == 3


@pytest.mark.parametrize(
    "content", ["a@b.example,Other\nb@b.example,B\n", "a@b.example,A\n", "a@b.example,A\n,B\nb@b.example,B\n"]
)
def test_what_changes_loses_or_rejects_is_only_shown(file: Path, content: str) -> None:
    run(file)
    file.write_text(HEADER + content)
    output = run(file, "--allow-gone")
    assert "Nothing was written" in output
    assert rows("login", "display_name", "gone_at") == [("a@b.example", "A", None), ("b@b.example", "B", None)]
    assert DirectoryImport.objects.count() == 1


def test_apply_writes_changes(file: Path) -> None:
    run(file)
    file.write_text(HEADER + "a@b.example,Other\nb@b.example,B\n")
    assert as_json(file, "--apply")["counts"]["changed"] == 1
    assert rows("display_name") == [("Other",), ("B",)]


def test_apply_still_asks_before_it_loses_a_fifth(file: Path) -> None:
    run(file)
    file.write_text(HEADER + "a@b.example,A\n")
    with pytest.raises(CommandError, match="1 of 2 known accounts"):
        run(file, "--apply")
    run(file, "--apply", "--allow-gone")
    assert Account.objects.filter(gone_at__isnull=False).count() == 1


def test_preview_never_writes(file: Path) -> None:
    assert "Preview only: nothing was written." in run(file, "--preview")
    assert not Account.objects.exists()
    assert not DirectoryImport.objects.exists()


def test_rejected_lines_are_told_with_their_reason(file: Path) -> None:
    file.write_text(HEADER + "a@b.example,A\n,B\na@b.example,C\n")
    output = run(file)
    assert "Line 3 has no login" in output
    assert "Line 4 repeats the login a@b.example of line 2." in output
    assert as_json(file)["rejected"] == [
        {"line": 3, "reason": "has no login: the columns that may hold one are empty"},
        {"line": 4, "reason": "repeats the login a@b.example of line 2"},
    ]


def test_a_mapping_may_be_given_and_is_remembered(file: Path) -> None:
    file.write_text("who,desk\nzoe@b.example,Room 1\n")
    with pytest.raises(CommandError, match=r"No column fills the login.*--mapping COLUMN=FIELD. Columns: who, desk."):
        run(file)
    assert as_json(file, "--mapping", "who=login", "desk=office")["columns"] == {"who": "login", "desk": "office"}
    assert rows("login", "office") == [("zoe@b.example", "Room 1")]
    assert as_json(file)["columns"] == {"who": "login", "desk": "office"}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("nonsense", "write COLUMN=FIELD"),
        ("nobody=login", "has no column 'nobody'"),
        ("login=shoe_size", "no field 'shoe_size'"),
    ],
)
def test_a_mapping_that_makes_no_sense_says_why(file: Path, mapping: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(file, "--mapping", mapping)
    assert not Account.objects.exists()


def test_a_file_that_is_not_there_or_breaks_says_so(file: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        run(tmp_path / "nothing.csv")
    file.write_text(HEADER + '"a\n')
    with pytest.raises(CommandError, match="breaks at line 2"):
        run(file)

"""manage.py check_runbooks"""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from runbooks.catalog.loader import DEFINITIONS, definition_files
from tests.catalog.drill import SOUND


def run(*files: Path) -> tuple[int, str]:
    """Exit status and output."""
    output = StringIO()
    try:
        call_command("check_runbooks", *map(str, files), stdout=output)
    except SystemExit as end:
        status = end.code
    else:
        status = 0
    assert isinstance(status, int)
    return status, output.getvalue()


def test_the_built_in_runbooks_have_no_fault() -> None:
    status, said = run()
    steps = sum(path.read_text().count("\n[[steps]]") for path in definition_files())
    assert (status, said) == (0, f"{len(definition_files())} runbooks, {steps} steps: no fault.\n")


def test_one_file_can_be_checked_alone(tmp_path: Path) -> None:
    path = tmp_path / "drill.toml"
    path.write_text(SOUND)
    assert run(path) == (0, "1 runbook, 2 steps: no fault.\n")


def test_every_fault_of_every_file_is_printed_and_the_status_is_one(tmp_path: Path) -> None:
    first, second, sound = tmp_path / "drill.toml", tmp_path / "other.toml", DEFINITIONS / "ransomware-worm.toml"
    first.write_text(SOUND.replace('"4h"', '"late"').replace('phase = "triage"', 'phase = "x"'))
    second.write_text("slug =")
    status, said = run(first, sound, second, tmp_path / "missing.toml")
    lines = said.splitlines()
    assert status == 1
    assert [line.split(": ")[0] for line in lines] == [
        f"{first}:7",
        f"{first}:42",
        f"{first}:46",
        f"{second}:1",
        f"{tmp_path / 'missing.toml'}:1",
    ]
    assert "no fault" not in said


def test_files_below_the_working_folder_are_named_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "drafts").mkdir()
    (tmp_path / "drafts" / "drill.toml").write_text(SOUND.replace('"4h"', '"late"'))
    monkeypatch.chdir(tmp_path)
    status, said = run(tmp_path / "drafts" / "drill.toml")
    assert (status, said.split(": ")[0]) == (1, "drafts/drill.toml:46")

"""Reading a definition: what becomes of it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from runbooks.catalog import loader
from runbooks.catalog.definition import EvidenceRule, Runbook, sealed
from runbooks.catalog.faults import RunbookError, UnknownRunbookError
from runbooks.catalog.loader import all_runbooks, load, read_file
from runbooks.errors import NotFoundError
from tests.catalog.drill import SOUND, line_of, read


def sound() -> Runbook:
    runbook = read(SOUND).runbook
    assert runbook is not None
    return runbook


def test_steps_come_in_phase_order_with_their_numbers() -> None:
    assert [(step.number, step.id) for step in sound().steps] == [("1.1", "declare"), ("2.1", "disable")]


def test_every_value_of_a_step_is_read() -> None:
    step = sound().step("disable")
    assert step.depends_on == ("declare",)
    assert step.target == timedelta(minutes=15)
    assert step.evidence == (EvidenceRule("read-back", "Read-back"), EvidenceRule("receipt", "Receipt"))
    assert (step.automation, step.fact, step.tiers) == ("lock_account", "sign_in_disabled", ("A", "B"))
    assert step.instruction == "Disable it.\nRead it back."
    assert (step.two_person, step.deadline, step.is_account_step) == (False, False, True)
    declare = sound().step("declare")
    assert (declare.two_person, declare.deadline, declare.deadline_label) == (True, True, "Regulator")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0:15", timedelta(minutes=15)),
        ("1:30", timedelta(hours=1, minutes=30)),
        ("4h", timedelta(hours=4)),
        ("72h", timedelta(hours=72)),
        ("14d", timedelta(days=14)),
    ],
)
def test_a_target_is_written_in_hours_minutes_or_days(written: str, meant: timedelta) -> None:
    runbook = read(SOUND.replace('target = "4h"', f'target = "{written}"')).runbook
    assert runbook is not None
    assert runbook.step("declare").target == meant


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "gone.toml"
    assert [str(fault) for fault in read_file(path).faults] == [
        f"{path}:1: The file cannot be read: No such file or directory."
    ]


def test_a_file_in_another_encoding_is_a_fault_at_the_first_such_byte(tmp_path: Path) -> None:
    path = tmp_path / "drill.toml"
    path.write_bytes(SOUND.replace('title = "Contain"', 'title = "Conté"').encode("cp1252"))
    (fault,) = read_file(path).faults
    assert (fault.line, fault.reason) == (12, "The file is not UTF-8. Save it as UTF-8.")


def test_the_digest_stays_when_only_the_writing_of_the_file_changes() -> None:
    other = read("# A comment\n" + SOUND.replace('target = "4h"', 'target = "4:00"')).runbook
    assert other is not None
    assert other.digest == sound().digest
    assert len(other.digest) == 64


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("Read it back.", "Read it twice."),
        ('target = "4h"', 'target = "5h"'),
        ('version = "1.0"', 'version = "1.1"'),
        ("two_person = true", "two_person = false"),
        ('label = "Receipt"', 'label = "Its receipt"'),
    ],
)
def test_the_digest_changes_with_anything_a_responder_reads(there: str, instead: str) -> None:
    other = read(SOUND.replace(there, instead)).runbook
    assert other is not None
    assert other.digest != sound().digest


def test_the_digest_does_not_depend_on_an_earlier_digest() -> None:
    assert sealed(replace(sound(), digest="something else")).digest == sound().digest


def test_a_runbook_is_loaded_by_its_slug() -> None:
    assert load("compromised-accounts").title == "Compromised accounts"
    assert load("compromised-accounts") in all_runbooks()


def test_a_slug_nobody_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        UnknownRunbookError, match=r'There is no runbook "nothing"\..*"compromised-accounts"'
    ) as refusal:
        load("nothing")
    assert isinstance(refusal.value, NotFoundError)
    assert refusal.value.status == 404


def test_a_broken_definition_stops_all_of_them_with_every_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "drill.toml").write_text(SOUND.replace('role = "lead"', 'role = "x"').replace("1.0", ""))
    monkeypatch.setattr(loader, "DEFINITIONS", tmp_path)
    all_runbooks.cache_clear()
    try:
        with pytest.raises(RunbookError) as refusal:
            all_runbooks()
    finally:
        all_runbooks.cache_clear()
    assert [fault.line for fault in refusal.value.faults] == [3, line_of(SOUND, 'role = "lead"')]
    assert str(refusal.value.faults[0]) in str(refusal.value)

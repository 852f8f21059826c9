"""The runbooks that come with the portal."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from runbooks.catalog.definition import ACCOUNT, Runbook, RunbookStep
from runbooks.catalog.loader import all_runbooks, definition_files, load, read_file

FILES = definition_files()

# The forty steps as the domain research has them: number, id, role, scope (I incident, A each account), after which,
# target, whether a second person agrees, and which step undoes it.
FORTY = """
1  declare-incident            lead           I  -      0:15  n -
2  assign-roles                lead           I  1      0:20  n -
3  open-clock-register         dpo            I  1      0:30  n -
4  preserve-logs               forensics      I  1      1:00  n -
5  confirm-attack              forensics      I  4      1:30  n -
6  build-account-list          forensics      I  5      2:00  n -
7  decide-lockdown             lead           I  1      1:00  y 36
8  preflight-lockdown          identity       I  7      1:15  n -
9  execute-lockdown            identity       I  8      1:30  y 36
10 verify-lockdown             identity       I  9      1:45  n -
11 tell-users                  communications I  7      1:45  y -
12 block-sources               network        I  5      2:00  n 38
13 block-legacy-authentication identity       I  5      4:00  y 38
14 disable-sign-in             identity       A  6      0:15  n 33
15 revoke-sessions             identity       A  14     0:20  n -
16 snapshot-mailbox            mail           A  14     0:45  n -
17 reset-password              identity       A  16     1:00  n -
18 remove-mailbox-rules        mail           A  16     2:00  n -
19 revoke-consents             identity       A  16     2:00  n -
20 remove-unknown-factors      identity       A  16     2:00  n -
21 strip-admin-rights          identity       A  14     1:00  y 33
22 reach-holder                contact        A  6      24:00 n -
23 confirm-holder              holder         A  22     48:00 n -
24 interview-holder            contact        A  23     48:00 n -
25 hunt-persistence            forensics      I  6      24:00 n -
26 replace-weak-passwords      identity       I  13     72:00 y -
27 enforce-second-factor       identity       I  26     336:00 y -
28 assess-data-access          forensics      A  16     72:00 n -
29 determine-controllers       dpo            A  28     60:00 y -
30 notify-authorities          legal          I  1      4:00  n -
31 notify-regulator            dpo            I  29     72:00 y -
32 tell-people-at-risk         dpo            A  29     -     y -
33 re-enable-accounts          identity       A  23     -     y 14
34 publish-updates             communications I  1      2:00  y -
35 warn-of-callers             communications I  11     24:00 n -
36 restore-remote-access       lead           I  26,10  -     y 9
37 watch-for-return            forensics      I  36     336:00 n -
38 close-change-register       identity       I  36     336:00 y -
39 final-reports               dpo            I  37     720:00 y -
40 review-incident             lead           I  37     -     n -
"""
ROWS = [line.split() for line in FORTY.strip().splitlines()]
IDS = {row[0]: row[1] for row in ROWS}
# The regulator's 72 hours do not wait for the last mailbox, so the risk is judged before all are assessed.
JUDGED_FROM_THE_FIRST_MAILBOXES = {"determine-controllers"}


@pytest.fixture
def runbook() -> Runbook:
    return load("compromised-accounts")


def written(target: timedelta | None) -> str:
    if target is None:
        return "-"
    minutes = int(target.total_seconds()) // 60
    return f"{minutes // 60}:{minutes % 60:02d}"


def as_row(number: str, step: RunbookStep) -> list[str]:
    numbers = {step_id: known for known, step_id in IDS.items()}
    return [
        number,
        step.id,
        step.role,
        "A" if step.scope == ACCOUNT else "I",
        ",".join(numbers[step_id] for step_id in step.depends_on) or "-",
        written(step.target),
        "y" if step.two_person else "n",
        numbers[step.reversible_by] if step.reversible_by else "-",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_definition_is_sound(path: Path) -> None:
    reading = read_file(path)
    assert [str(fault) for fault in reading.faults] == []
    assert reading.runbook is not None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_each_of_the_forty_steps_is_as_the_research_has_it(runbook: Runbook, row: list[str]) -> None:
    assert as_row(row[0], runbook.step(row[1])) == row


def test_the_main_runbook_has_those_forty_steps_and_no_other(runbook: Runbook) -> None:
    assert sorted(step.id for step in runbook.steps) == sorted(IDS.values())
    assert len(runbook.steps) == 40


def test_the_main_runbook_goes_through_the_phases_in_order_of_response(runbook: Runbook) -> None:
    titles = ["Triage", "Contain", "Contact", "Eradicate", "Assess", "Notify", "Restore", "Review"]
    assert [phase.title for phase in runbook.phases] == titles
    assert [step.number for step in runbook.steps[:7]] == ["1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "2.1"]


def test_the_facts_that_close_account_steps_are_each_used_once(runbook: Runbook) -> None:
    facts = {step.fact: step.id for step in runbook.steps if step.fact}
    assert facts == {
        "sign_in_disabled": "disable-sign-in",
        "sessions_revoked": "revoke-sessions",
        "password_changed": "reset-password",
        "rules_checked": "remove-mailbox-rules",
        "holder_reached": "reach-holder",
        "holder_confirmed": "confirm-holder",
        "data_loss_assessed": "assess-data-access",
    }


def test_what_is_due_outside_is_marked_as_a_deadline(runbook: Runbook) -> None:
    assert [step.id for step in runbook.steps if step.deadline] == [
        "notify-authorities",
        "notify-regulator",
        "final-reports",
    ]


@pytest.mark.parametrize("runbook", all_runbooks(), ids=lambda runbook: runbook.slug)
def test_a_limit_set_by_law_is_marked_for_counsel(runbook: Runbook) -> None:
    for step in runbook.steps:
        if step.deadline and step.role in {"dpo", "legal"}:
            assert "confirm with counsel" in " ".join(step.instruction.lower().split()), step.id


@pytest.mark.parametrize("runbook", all_runbooks(), ids=lambda runbook: runbook.slug)
def test_every_step_is_readable_at_three_in_the_morning(runbook: Runbook) -> None:
    for step in runbook.steps:
        words = len(step.instruction.split())
        assert 25 <= words <= 130, f"{step.id}: {words} words"
        assert step.evidence, f"{step.id} is closed by no evidence"
        assert "!" not in step.instruction + step.title, step.id
        assert not re.search(r"\bcommander\b|\bplease\b|e\.g\.|i\.e\.", step.instruction, re.IGNORECASE), step.id


@pytest.mark.parametrize("runbook", all_runbooks(), ids=lambda runbook: runbook.slug)
def test_nothing_waits_for_a_step_of_a_later_phase(runbook: Runbook) -> None:
    order = [phase.key for phase in runbook.phases]
    for step in runbook.steps:
        for needed in map(runbook.step, step.depends_on):
            assert order.index(needed.phase) <= order.index(step.phase), f"{step.id} waits for {needed.id}"


@pytest.mark.parametrize("runbook", all_runbooks(), ids=lambda runbook: runbook.slug)
def test_a_step_is_due_no_earlier_than_what_it_waits_for(runbook: Runbook) -> None:
    for step in runbook.steps:
        for needed in map(runbook.step, step.depends_on):
            if step.id in JUDGED_FROM_THE_FIRST_MAILBOXES:
                continue
            if step.target and needed.target and step.scope == needed.scope:
                assert needed.target <= step.target, f"{step.id} is due before {needed.id}"

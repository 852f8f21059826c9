"""What an author is told about a definition that is wrong."""

import pytest

from tests.catalog.drill import SOUND, faults, line_of, read

# What an author may get wrong: the text that is there, what they wrote instead, and the line and reason they are told.
WRONG = {
    "unknown key": (
        "two_person = true",
        "two_persons = true",
        "two_persons",
        'Unknown key "two_persons". Did you mean "two_person"?',
    ),
    "unknown key at the top": ('version = "1.0"', 'version = "1.0"\nowner = "me"', "owner", 'Unknown key "owner".'),
    "missing key": ('title = "Declare"\n', "", '[[steps]]\nid = "declare"', '"title" is missing. Add it.'),
    "empty instruction": ('"Declare it."', '"  "', 'instruction = "  "', '"instruction" is empty. Write it.'),
    "two lines": ('title = "Declare"', 'title = "De\\nclare"', 'title = "De', '"title" must be one line.'),
    "too long": (
        'title = "Declare"',
        f'title = "{"x" * 201}"',
        'title = "xx',
        '"title" has 201 characters. Use at most 200.',
    ),
    "no text": ('title = "Declare"', "title = 7", "title = 7", '"title" must be text in quotes.'),
    "no flag": ("two_person = true", 'two_person = "yes"', 'two_person = "yes"', '"two_person" must be true or false.'),
    "no list": ('tiers = ["A", "B"]', 'tiers = "A"', 'tiers = "A"', '"tiers" must be a list of words in quotes.'),
    "unknown phase": (
        'phase = "triage"',
        'phase = "triaging"',
        'phase = "triaging"',
        'Unknown phase "triaging". Did you mean "triage"?',
    ),
    "unknown role": (
        'role = "lead"',
        'role = "dpo"',
        'role = "dpo"',
        'Unknown role "dpo". Use one of "lead", "identity".',
    ),
    "unknown role of all": (
        'lead = "Incident lead"',
        'commander = "C"\nlead = "L"',
        "commander",
        'Unknown role "commander".',
    ),
    "unknown scope": (
        'scope = "incident"',
        'scope = "all"',
        'scope = "all"',
        'Unknown scope "all". Use one of "incident", "account".',
    ),
    "unknown automation": (
        '"lock_account"',
        '"lock_acount"',
        "automation",
        'Unknown automation "lock_acount". Did you mean "lock_account"?',
    ),
    "unknown fact": ('"sign_in_disabled"', '"sign_in_off"', "fact =", 'Unknown fact "sign_in_off".'),
    "unknown tier": ('["A", "B"]', '["A", "E"]', "tiers", 'Unknown tier "E". Use one of "A", "B", "C", "D".'),
    "unknown dependency": (
        '  "declare",',
        '  "declares",',
        '  "declares"',
        'Unknown step "declares". Did you mean "declare"?',
    ),
    "dependency twice": (
        '  "declare",',
        '  "declare",\n  # again\n  "declare",',
        '"declare",\n]',
        '"declare" stands twice in "depends_on". Remove one.',
    ),
    "unknown reversal": ("two_person = true", 'reversible_by = "undo"', "reversible_by", 'Unknown step "undo".'),
    "own reversal": (
        "two_person = true",
        'reversible_by = "declare"',
        "reversible_by",
        "A step cannot undo itself. Name another.",
    ),
    "evidence twice": (
        'key = "receipt"',
        'key = "read-back"',
        '  { key = "read-back", label = "Receipt"',
        'Evidence "read-back" stands twice in this step.',
    ),
    "evidence without label": (
        '{ key = "receipt", label = "Receipt" }',
        '{ key = "receipt" }',
        '{ key = "receipt" }',
        '"label" is missing. Add it.',
    ),
    "account step that nothing closes": (
        'fact = "sign_in_disabled"\n',
        "",
        'scope = "account"',
        'A step for each account needs a "fact" that closes it',
    ),
    "account step with an empty fact": (
        'fact = "sign_in_disabled"',
        'fact = ""',
        'scope = "account"',
        'A step for each account needs a "fact" that closes it',
    ),
    "fact and words": (
        'fact = "sign_in_disabled"',
        'fact = "sign_in_disabled"\ncounted = "By hand."',
        "counted",
        'The step has a "fact" already. Remove "counted".',
    ),
    "fact of an incident step": (
        "two_person = true",
        'fact = "holder_reached"',
        'fact = "holder_reached"',
        '"fact" belongs to steps with scope "account". Remove it.',
    ),
    "deadline without target": ('target = "4h"\n', "", "deadline", 'A deadline needs a "target". Add it.'),
    "id that is no name": (
        'id = "declare"',
        'id = "De clare"',
        'id = "De clare"',
        '"De clare" must be lower case letters, digits and single hyphens',
    ),
    "same id": (
        'id = "declare"',
        'id = "disable"',
        'id = "disable"\nphase = "triage"',
        'Step "disable" is there already, on line 19.',
    ),
    "same phase": (
        'key = "contain"',
        'key = "triage"',
        'key = "triage"\ntitle = "Contain"',
        'Phase "triage" is there already. Remove one.',
    ),
    "idle phase": (
        "[roles]",
        '[[phases]]\nkey = "rest"\ntitle = "Rest"\n\n[roles]',
        'key = "rest"',
        'Phase "rest" has no step. Add one or remove the phase.',
    ),
    "other name": (
        'slug = "drill"',
        'slug = "drills"',
        "slug",
        'The slug is "drills" and the file is named "drill". Make them the same.',
    ),
    "waits for itself": (
        "two_person = true",
        'depends_on = ["declare"]',
        'depends_on = ["declare"]',
        'The steps wait for one another: "declare" waits for "declare".',
    ),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_a_fault_is_reported_with_its_line_and_reason(case: tuple[str, str, str, str]) -> None:
    there, instead, at, reason = case
    assert there in SOUND
    text = SOUND.replace(there, instead, 1)
    found = faults(text)
    assert any(fault.startswith(f"drill.toml:{line_of(text, at)}: {reason}") for fault in found), found
    assert read(text).runbook is None


def test_a_circle_is_named_and_so_is_what_waits_for_it() -> None:
    more = """
[[steps]]
id = "{id}"
phase = "contain"
title = "T"
role = "lead"
scope = "incident"
depends_on = ["{needs}"]
instruction = "I"
"""
    text = SOUND.replace("two_person = true", 'depends_on = ["disable"]') + more.format(id="after", needs="declare")
    circle, after = faults(text)
    assert circle.startswith(f"drill.toml:{line_of(text, 'depends_on = [')}: ")
    assert '"disable" waits for "declare" waits for "disable". Break the circle.' in circle
    assert after.startswith(f"drill.toml:{line_of(text, 'depends_on = [' + chr(34) + 'declare')}: ")
    assert 'Step "after" can never start: it waits for "declare"' in after


def test_all_faults_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = (
        SOUND.replace('version = "1.0"', "")
        .replace('phase = "contain"', 'phase = "nowhere"')
        .replace('target = "0:15"', 'target = "soon"')
        .replace('role = "lead"', 'role = "nobody"')
        .replace('"Declare it."', '""')
    )
    found = read(text).faults
    assert [fault.line for fault in found] == sorted(fault.line for fault in found)
    reasons = " ".join(fault.reason for fault in found)
    for part in (
        '"version" is missing',
        '"nowhere"',
        '"soon"',
        '"nobody"',
        '"instruction" is empty',
        '"contain" has no',
    ):
        assert part in reasons


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('slug = "drill"\ntitle = \n', 2),
        ('slug = "drill"\n\n[[steps]\n', 3),
        ('slug = "drill"\nsummary = """never\nended\n', 3),
        ('slug = "drill"\nslug = "drill"\n', 2),
    ],
)
def test_what_is_not_toml_is_reported_where_the_parser_stopped(text: str, line: int) -> None:
    (fault,) = read(text).faults
    assert fault.line == line
    assert fault.reason.startswith("This is not TOML: ")


def test_an_empty_file_says_everything_that_is_missing() -> None:
    reasons = " ".join(faults(""))
    for key in ("slug", "title", "version", "summary"):
        assert f'"{key}" is missing' in reasons
    for key in ("phases", "roles", "steps"):
        assert f"The runbook has no {key}" in reasons


@pytest.mark.parametrize("key", ["phases", "roles", "steps"])
def test_a_part_of_another_shape_is_a_fault_and_no_crash(key: str) -> None:
    assert any(f'"{key}" must be a' in fault for fault in faults(f'slug = "drill"\n{key} = 3\n'))


@pytest.mark.parametrize("written", ["soon", "15", "0:60", "0:00", "0h", "-4h", "4 h", "1.5h", "99999d"])
def test_any_other_target_is_a_fault(written: str) -> None:
    text = SOUND.replace('target = "4h"', f'target = "{written}"')
    line = line_of(text, f'target = "{written}"')
    assert faults(text) == [f'drill.toml:{line}: Target "{written}" cannot be read. Write "0:15", "4h" or "14d".']

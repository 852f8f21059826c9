"""Turns a parsed definition into a Runbook, value by value. What steps say about one another is in `soundness`."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from runbooks.catalog.definition import (
    ACCOUNT,
    AUTOMATIONS,
    FACTS,
    ROLE_KEYS,
    SCOPES,
    TIERS,
    EvidenceRule,
    Phase,
    Role,
    Runbook,
    RunbookStep,
)
from runbooks.catalog.faults import FaultList
from runbooks.catalog.table import Table, unknown

# What an incident's copy has room for.
LONGEST_NAME, LONGEST_PHASE, LONGEST_VERSION, LONGEST_LABEL = 80, 40, 20, 80
_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TARGET = re.compile(r"(?:(?P<h>\d{1,4}):(?P<m>[0-5]\d)|(?P<n>\d{1,4})(?P<unit>[hd]))")


def read_runbook(values: dict[str, Any], faults: FaultList) -> Runbook:
    """The runbook with its steps in the order of the file and without numbers; a value at fault is left empty."""
    table = Table(values, (), faults)
    slug, title = _name(table, "slug"), table.line("title")
    version, summary = table.line("version", longest=LONGEST_VERSION), table.text("summary")
    phases, roles = _phases(table), _roles(table)
    steps = tuple(
        _step(item, tuple(phase.key for phase in phases), tuple(role.key for role in roles))
        for item in table.tables("steps")
    )
    for key, values_read in (("phases", phases), ("roles", roles), ("steps", steps)):
        if not values_read:
            table.fault(key, f"The runbook has no {key}. Add at least one.")
    table.done()
    return Runbook(slug, title, version, summary, phases, roles, steps)


def numbered(runbook: Runbook) -> Runbook:
    """The steps in the order of the phases, each with its number."""
    steps = [
        replace(step, number=f"{phase_number}.{position}")
        for phase_number, phase in enumerate(runbook.phases, start=1)
        for position, step in enumerate((s for s in runbook.steps if s.phase == phase.key), start=1)
    ]
    return replace(runbook, steps=tuple(steps))


def parse_target(text: str) -> timedelta | None:
    """ "0:15" (hours and minutes), "4h" or "14d"; None for anything else, and for nothing at all."""
    found = _TARGET.fullmatch(text)
    if found is None:
        return None
    if found["unit"] is None:
        target = timedelta(hours=int(found["h"]), minutes=int(found["m"]))
    else:
        target = timedelta(hours=int(found["n"])) if found["unit"] == "h" else timedelta(days=int(found["n"]))
    return target or None


def _phases(table: Table) -> tuple[Phase, ...]:
    phases: list[Phase] = []
    for item in table.tables("phases"):
        phase = Phase(_name(item, "key", longest=LONGEST_PHASE), item.line("title", longest=LONGEST_LABEL))
        if phase.key and phase.key in (known.key for known in phases):
            item.fault("key", f'Phase "{phase.key}" is there already. Remove one.')
        phases.append(phase)
        item.done()
    return tuple(phases)


def _roles(table: Table) -> tuple[Role, ...]:
    item = table.table("roles")
    roles = []
    for key in item.names():
        if key not in ROLE_KEYS:
            item.fault(key, unknown("role", key, ROLE_KEYS))
        roles.append(Role(key, item.line(key, longest=LONGEST_LABEL)))
    return tuple(roles)


def _step(item: Table, phases: tuple[str, ...], roles: tuple[str, ...]) -> RunbookStep:
    step = RunbookStep(
        id=_name(item, "id"),
        number="",
        phase=item.choice("phase", phases),
        title=item.line("title"),
        instruction=item.text("instruction"),
        role=item.choice("role", roles),
        scope=item.choice("scope", SCOPES),
        depends_on=item.words("depends_on"),
        target=_target(item),
        deadline_label=item.line("deadline", required=False, longest=LONGEST_LABEL),
        evidence=_evidence(item),
        automation=item.choice("automation", AUTOMATIONS, required=False),
        reversible_by=item.line("reversible_by", required=False),
        two_person=item.flag("two_person"),
        fact=item.choice("fact", FACTS, required=False),
        counted=item.line("counted", required=False),
        tiers=item.words("tiers"),
    )
    _check_scope(item, step)
    _check_clock(item, step)
    item.done()
    return step


def _target(item: Table) -> timedelta | None:
    text = item.line("target", required=False)
    target = parse_target(text)
    if text and target is None:
        item.fault("target", f'Target "{text}" cannot be read. Write "0:15", "4h" or "14d".')
    return target


def _evidence(item: Table) -> tuple[EvidenceRule, ...]:
    rules: list[EvidenceRule] = []
    for entry in item.tables("evidence"):
        rule = EvidenceRule(_name(entry, "key"), entry.line("label"))
        if rule.key and rule.key in (known.key for known in rules):
            entry.fault("key", f'Evidence "{rule.key}" stands twice in this step. Give each a key of its own.')
        rules.append(rule)
        entry.done()
    return tuple(rules)


def _check_scope(item: Table, step: RunbookStep) -> None:
    for tier in step.tiers:
        if tier not in TIERS:
            item.fault("tiers", unknown("tier", tier, TIERS))
    if step.scope == ACCOUNT and not (item.says("fact") or item.says("counted")):
        item.fault(
            "scope", 'A step for each account needs a "fact" that closes it, or "counted": how it is told to be done.'
        )
    if step.scope == ACCOUNT and step.fact and step.counted:
        item.fault("counted", 'The step has a "fact" already. Remove "counted".')
    if step.scope and step.scope != ACCOUNT:
        for key in ("fact", "counted", "tiers"):
            if item.says(key):
                item.fault(key, f'"{key}" belongs to steps with scope "account". Remove it.')


def _check_clock(item: Table, step: RunbookStep) -> None:
    if step.deadline and not item.says("target"):
        item.fault("deadline", 'A deadline needs a "target". Add it.')


def _name(item: Table, key: str, *, longest: int = LONGEST_NAME) -> str:
    """A short name in lower case with hyphens, good for addresses."""
    name = item.line(key, longest=longest)
    if name and not _KEBAB.fullmatch(name):
        item.fault(key, f'"{name}" must be lower case letters, digits and single hyphens, such as "reset-password".')
    return name

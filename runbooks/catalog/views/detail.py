"""One runbook, to be read and printed."""

from dataclasses import dataclass
from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.catalog.definition import AUTOMATIONS, FACTS, Phase, Runbook, RunbookStep
from runbooks.catalog.loader import load

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DIGEST_GROUP = 8


@dataclass(frozen=True, slots=True)
class StepPart:
    """A step with everything the page says about it."""

    step: RunbookStep
    role: str
    target: str
    tiers: str
    closed_by: str
    action: str
    after: tuple[RunbookStep, ...]
    holds_up: tuple[RunbookStep, ...]
    undone_by: RunbookStep | None


@dataclass(frozen=True, slots=True)
class PhasePart:
    number: int
    phase: Phase
    steps: tuple[StepPart, ...]


@require_safe
def runbook_detail(request: PortalRequest, slug: str) -> HttpResponse:
    require(actor_of(request), "view_catalog")
    runbook = load(slug)
    context = {
        "runbook": runbook,
        "phases": phase_parts(runbook),
        "digest": " ".join(in_groups(runbook.digest)),
    }
    return render(request, "catalog/detail.html", context)


def phase_parts(runbook: Runbook) -> list[PhasePart]:
    return [
        PhasePart(number, phase, tuple(_part(runbook, step) for step in runbook.steps if step.phase == phase.key))
        for number, phase in enumerate(runbook.phases, start=1)
    ]


def target_text(target: timedelta) -> str:
    """15 min, 1 h 15 min, 4 h, 60 h, 14 days: hours up to three days, as clocks of that length are spoken of."""
    if target > 3 * DAY and target % DAY == timedelta(0):
        return f"{target // DAY} days"
    hours, minutes = target // HOUR, target % HOUR // MINUTE
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)


def in_groups(digest: str) -> list[str]:
    return [digest[start : start + DIGEST_GROUP] for start in range(0, len(digest), DIGEST_GROUP)]


def _part(runbook: Runbook, step: RunbookStep) -> StepPart:
    start = "entry on the list" if step.is_account_step else "declaration"
    return StepPart(
        step=step,
        role=runbook.role_title(step.role),
        target=f"{target_text(step.target)} from {start}" if step.target else "",
        tiers=_tiers(step),
        closed_by=_closed_by(step),
        action=f"{step.automation.replace('_', ' ').capitalize()} ({AUTOMATIONS[step.automation]})"
        if step.automation
        else "",
        after=tuple(runbook.step(step_id) for step_id in step.depends_on),
        holds_up=tuple(other for other in runbook.steps if step.id in other.depends_on),
        undone_by=runbook.step(step.reversible_by) if step.reversible_by else None,
    )


def _tiers(step: RunbookStep) -> str:
    if not step.is_account_step:
        return ""
    if not step.tiers:
        return "Every compromised account"
    return f"Accounts of tier {' and '.join(filter(None, [', '.join(step.tiers[:-1]), step.tiers[-1]]))}"


def _closed_by(step: RunbookStep) -> str:
    return f"{FACTS[step.fact]}, read from the account" if step.fact else step.counted

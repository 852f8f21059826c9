"""The runbooks this portal has."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.catalog.definition import Runbook
from runbooks.catalog.loader import all_runbooks


@dataclass(frozen=True, slots=True)
class RunbookLine:
    runbook: Runbook
    opening: str
    """The first paragraph of the summary: when to take this runbook. Markdown."""
    account_steps: int
    two_person_steps: int

    @classmethod
    def of(cls, runbook: Runbook) -> "RunbookLine":
        return cls(
            runbook=runbook,
            opening=runbook.summary.partition("\n\n")[0],
            account_steps=sum(step.is_account_step for step in runbook.steps),
            two_person_steps=sum(step.two_person for step in runbook.steps),
        )


@require_safe
def runbook_list(request: PortalRequest) -> HttpResponse:
    require(actor_of(request), "view_catalog")
    lines = [RunbookLine.of(runbook) for runbook in all_runbooks()]
    return render(request, "catalog/list.html", {"lines": lines})

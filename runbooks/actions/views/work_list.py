"""What people have in hand of one action, on paper: a line an account, what to do and what to bring back."""

from dataclasses import dataclass
from typing import Final

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest
from runbooks.actions.models import ActionAccount
from runbooks.actions.queries.ledger import LedgerRow, work_list
from runbooks.actions.queries.listing import title_of
from runbooks.actions.views.seen import see
from runbooks.presentation import full_clock

MOST: Final = 1000
BRING: Final = "Bring back:"


@dataclass(frozen=True, slots=True)
class Task:
    """One account on paper. `lead_in` says why it is with people."""

    login: str
    holder: str
    lead_in: str
    to_do: str
    bring: str


@require_safe
def page(request: PortalRequest, reference: str, number: int) -> HttpResponse:
    seen = see(request, reference, number)
    rows = work_list(seen.action.pk, most=MOST + 1)
    context = {
        "incident": seen.incident,
        "actor": seen.actor,
        "now": seen.at,
        "tab": "actions",
        "action": seen.action,
        "title": title_of(seen.action),
        "tasks": [_task(row) for row in rows[:MOST]],
        "is_cut": len(rows) > MOST,
        "most": MOST,
        "as_of": full_clock(seen.at, seen.incident.zone),
    }
    return render(request, "actions/work_list.html", context)


def _task(row: LedgerRow) -> Task:
    if row.status == ActionAccount.Status.UNKNOWN:
        to_do = f"Look {row.login} up and say whether it was done."
        return Task(row.login, row.holder, row.message, to_do, "what it shows now, and the time")
    text, _, bring = row.message.partition(BRING)
    lead_in, separator, to_do = text.partition(". ")
    if not separator:
        lead_in, to_do = "", text
    return Task(row.login, row.holder, lead_in, to_do.strip(), bring.strip().rstrip("."))

"""The call list on paper, for the night the portal is down, and where its results are typed in afterwards."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.confirmations.models import DeskCall
from runbooks.confirmations.operations.calling import Ending
from runbooks.confirmations.operations.noting import Line, note_calls
from runbooks.confirmations.operations.recognising import Check
from runbooks.confirmations.queries.calls import Waiting, queue
from runbooks.confirmations.views.desk.forms import next_such
from runbooks.confirmations.views.desk.queue import line, next_page, place_of
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import plural
from runbooks.timeline.moments import parse
from runbooks.timeline.operations import now

Outcome = DeskCall.Outcome
ON_PAPER, TYPED = 100, 25
OUTCOMES = [(outcome.value, outcome.label) for outcome in Outcome if outcome != Outcome.PUT_BACK]
FIELDS = ("outcome", "when", "check", "note", "back")


@dataclass(slots=True)
class Row:
    """A line of the form: whom, what was typed, and what is wrong with it."""

    waiting: Waiting
    typed: dict[str, str] = field(default_factory=dict)
    error: str = ""


class BadLineError(DomainError):
    """What was typed cannot be read."""

    status = 400


@require_safe
def call_list(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "call_holders", incident.pk)
    found = queue(incident.pk, at, after=place_of(request), limit=ON_PAPER)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "desk",
        "lines": [line(incident, one, at) for one in found],
        "next": next_page(found, ON_PAPER),
    }
    return render(request, "confirmations/call_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def results(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "call_holders", incident.pk)
    rows = [Row(one) for one in queue(incident.pk, at, after=place_of(request), limit=TYPED)]
    found, status = [row.waiting for row in rows], 200
    if request.method == "POST":
        lines = _lines(request, incident, rows, at)
        noted = note_calls(incident_id=incident.pk, lines=lines, actor=actor, at=at) if lines else None
        for row in rows:
            row.error = row.error or (noted.errors.get(row.waiting.affected_id, "") if noted else "")
        taken = noted.taken if noted else 0
        if taken:
            messages.success(request, f"{plural(taken, 'result')} noted.")
        if not any(row.error for row in rows):
            if not taken:
                messages.warning(request, "Nothing was typed in. Choose what came of a call, and when.")
            return redirect(reverse("desk_results", args=[incident.reference]))
        # What was taken stands in the incident now: only what is wrong is asked for again.
        rows, status = [row for row in rows if row.error], 400
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "desk",
        "rows": rows,
        "wrong": sum(bool(row.error) for row in rows),
        "outcomes": OUTCOMES,
        "checks": Check.choices,
        "next": next_page(found, TYPED) if status == 200 else "",
    }
    return render(request, "confirmations/results.html", context, status=status)


def _lines(request: PortalRequest, incident: Incident, rows: list[Row], at: datetime) -> list[Line]:
    """The lines that were typed, of holders who still wait; those who no longer do are passed over."""
    lines = []
    by_id = {row.waiting.affected_id: row for row in rows}
    for text in request.POST.getlist("row"):
        row = by_id.get(int(text)) if text.isdecimal() and len(text) < 19 else None
        if row is None:
            continue
        row.typed = {name: request.POST.get(f"{name}-{text}", "").strip() for name in FIELDS}
        if not any(row.typed.values()):
            continue
        try:
            lines.append(_line(row, incident, at))
        except DomainError as error:
            row.error = str(error)
    return lines


def _line(row: Row, incident: Incident, at: datetime) -> Line:
    typed, waiting = row.typed, row.waiting
    if not typed["when"]:
        raise BadLineError("Say when the call was, such as 22:40 or Fri 22:40.")
    happened_at = parse(typed["when"], incident.zone, at).at
    number = waiting.mobile or waiting.telephone
    known: dict[str, Any] = {"check": typed["check"], "note": typed["note"]}
    ending = Ending(
        typed["outcome"],
        number=number if typed["check"] != Check.PASS else "",
        call_back_at=_back(typed["back"], incident, at) if typed["outcome"] == Outcome.CALL_BACK else None,
        **known,
    )
    return Line(waiting.affected_id, ending, happened_at)


def _back(text: str, incident: Incident, at: datetime) -> datetime | None:
    hour, _, minute = text.partition(":")
    if not (hour.isdecimal() and minute.isdecimal() and len(text) <= 5 and int(hour) < 24 and int(minute) < 60):
        return None
    return next_such(int(hour), int(minute), incident.zone, at)

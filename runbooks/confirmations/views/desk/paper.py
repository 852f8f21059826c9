"""The call list on paper, for the night the portal is down, and where its results are typed in afterwards."""

from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import Actor, require
from runbooks.confirmations.models import DeskCall
from runbooks.confirmations.operations.calling import Ending
from runbooks.confirmations.operations.noting import Line, note_calls
from runbooks.confirmations.operations.recognising import Check
from runbooks.confirmations.queries.calls import Waiting, Within, queue, waiting_of
from runbooks.confirmations.views.desk.forms import NOTE_MAX, next_such
from runbooks.confirmations.views.desk.queue import line, next_page, place_of
from runbooks.confirmations.views.desk.within import address_of, in_words, within_of
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import full_clock, plural
from runbooks.timeline.moments import parse
from runbooks.timeline.operations import now

Outcome = DeskCall.Outcome
ON_PAPER, TYPED = 100, 50
# As the buttons of a call say it.
OUTCOMES = [
    (Outcome.REACHED, "Reached"),
    (Outcome.NO_ANSWER, "No answer"),
    (Outcome.CALL_BACK, "Call back at"),
    (Outcome.REFUSED, "Refused"),
    (Outcome.NOT_VERIFIED, "Not recognised"),
]
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
    within = within_of(request.GET)
    found = queue(incident.pk, at, within=within, after=place_of(request), limit=ON_PAPER)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "as_of": full_clock(at, incident.zone),
        "tab": "desk",
        "lines": [line(incident, one, at) for one in found],
        "next": next_page(found, ON_PAPER, within),
        "part": in_words(within),
        "kept": address_of(within),
    }
    return render(request, "confirmations/call_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def results(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "call_holders", incident.pk)
    within = within_of(request.GET)
    if request.method == "POST":
        rows = _typed(request, incident, at)
        if not any(row.error for row in rows):
            return redirect(reverse("desk_results", args=[incident.reference]) + address_of(within))
        # What was taken stands in the incident now: only what is wrong is asked for again.
        return _show(request, incident, actor, within, [row for row in rows if row.error], at, status=400)
    found = queue(incident.pk, at, within=within, after=place_of(request), limit=TYPED)
    return _show(request, incident, actor, within, [Row(one) for one in found], at)


def _show(
    request: PortalRequest,
    incident: Incident,
    actor: Actor,
    within: Within,
    rows: list[Row],
    at: datetime,
    *,
    status: int = 200,
) -> HttpResponse:
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "desk",
        "rows": rows,
        "wrong": sum(bool(row.error) for row in rows),
        "outcomes": [(outcome.value, label) for outcome, label in OUTCOMES],
        "checks": Check.choices,
        "next": next_page([row.waiting for row in rows], TYPED, within) if status == HTTPStatus.OK else "",
        "part": in_words(within),
        "kept": address_of(within),
    }
    return render(request, "confirmations/results.html", context, status=status)


def _typed(request: PortalRequest, incident: Incident, at: datetime) -> list[Row]:
    """The lines in which something was typed, noted or with what is wrong with them.

    They are found by account, not by their place: the queue may have moved since the form was opened.
    """
    given = [(whole_number(text), _fields(request, text)) for text in request.POST.getlist("row")[:TYPED]]
    typed = {pk: fields for pk, fields in given if pk is not None and any(fields.values())}
    rows = [Row(one, typed[one.affected_id]) for one in waiting_of(incident.pk, typed, at)]
    lines = _lines(incident, rows, at)
    noted = note_calls(incident_id=incident.pk, lines=lines, actor=actor_of(request), at=at) if lines else None
    for row in rows:
        row.error = row.error or (noted.errors.get(row.waiting.affected_id, "") if noted else "")
    taken, gone = noted.taken if noted else 0, len(typed) - len(rows)
    if taken:
        messages.success(request, f"{plural(taken, 'result')} noted.")
    if gone:
        said = "1 result was not noted: its holder no longer waits" if gone == 1 else (
            f"{gone:,} results were not noted: their holders no longer wait"
        )  # fmt: skip
        messages.warning(request, f"{said} to be called. Log the try on the page of the account.")
    if not typed:
        messages.warning(request, "Nothing was typed in. Choose what came of a call, and when.")
    return rows


def _fields(request: PortalRequest, text: str) -> dict[str, str]:
    return {name: request.POST.get(f"{name}-{text}", "").replace("\0", "").strip() for name in FIELDS}


def _lines(incident: Incident, rows: list[Row], at: datetime) -> list[Line]:
    """What was typed in lines that can be read; the others get their error."""
    lines = []
    for row in rows:
        try:
            lines.append(_line(row, incident, at))
        except DomainError as error:
            row.error = str(error)
    return lines


def _line(row: Row, incident: Incident, at: datetime) -> Line:
    typed, waiting = row.typed, row.waiting
    if not typed["when"]:
        raise BadLineError("Say when the call was, such as 22:40 or Fri 22:40.")
    if len(typed["note"]) > NOTE_MAX:
        raise BadLineError(f"The note has more than {NOTE_MAX} characters. Shorten it.")
    happened_at = parse(typed["when"], incident.zone, at).at
    number = waiting.mobile or waiting.telephone
    known: dict[str, Any] = {"check": typed["check"], "note": typed["note"]}
    ending = Ending(
        typed["outcome"],
        number=number if typed["check"] != Check.PASS else "",
        call_back_at=_back(typed["back"], incident, happened_at) if typed["outcome"] == Outcome.CALL_BACK else None,
        **known,
    )
    return Line(waiting.affected_id, ending, happened_at)


def _back(text: str, incident: Incident, happened_at: datetime) -> datetime | None:
    """The next such time after that call: by now it may be over, and the holder is called at once."""
    hour, _, minute = text.partition(":")
    if not (hour.isdecimal() and minute.isdecimal() and len(text) <= 5 and int(hour) < 24 and int(minute) < 60):
        return None
    return next_such(int(hour), int(minute), incident.zone, happened_at)

"""Who decided what: approvals by two people, decisions, corrections and redactions, one list each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import require
from runbooks.actions.models import Action, ActionDecision
from runbooks.exports.models import Redaction
from runbooks.exports.queries import decisions
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock, full_clock, number, plural
from runbooks.timeline.lines import TAKEN_OUT
from runbooks.timeline.operations import now


@dataclass(frozen=True, slots=True)
class Line:
    """One line of any of the lists. `other` stands beside `words`: what stood before, or a second person's comment."""

    when: str
    full: str
    mark: str
    sequence: int | None
    tone: str
    words: str
    other: str
    asked: str
    decided: str
    with_what: str


Listed = tuple[list[Line], str]
"""Lines, and where the next page begins; empty where there is none."""


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "view_seal", incident.pk)
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else "approvals"
    lines, following = KINDS[kind][2](incident, request.GET.get("before", ""), at)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "exports",
        "kind": kind,
        "kinds": [(name, label) for name, (label, _, _) in KINDS.items()],
        "intro": KINDS[kind][1],
        "lines": lines,
        "next": following,
        "is_paged": bool(request.GET.get("before")),
    }
    return render(request, "exports/decisions.html", context)


def _approvals(incident: Incident, before: str, at: datetime) -> Listed:
    found = decisions.approvals_of(incident.pk, before=whole_number(before))
    lines = [_approval(one, incident, at) for one in found[: decisions.PAGE]]
    return lines, str(found[decisions.PAGE - 1].id) if len(found) > decisions.PAGE else ""


TONES: Final = {
    ActionDecision.Kind.APPROVED: "good",
    ActionDecision.Kind.REVIEWED: "good",
    ActionDecision.Kind.REFUSED: "bad",
    ActionDecision.Kind.BREAK_GLASS: "bad",
}


def _approval(one: decisions.Approval, incident: Incident, at: datetime) -> Line:
    what = f"{Action.Kind(one.action_kind).label}, {plural(one.accounts, 'account')}"
    return Line(
        when=clock(one.at, incident.zone, at),
        full=full_clock(one.at, incident.zone),
        mark=f"Action {one.number}",
        sequence=one.number,
        tone=TONES.get(ActionDecision.Kind(one.kind), "wait"),
        words=f"{one.label}: {what}",
        other=one.comment,
        asked=one.asked_by or "nobody",
        decided=one.decided_by,
        with_what=f"with {one.credential}" if one.credential else "",
    )


def _decisions(incident: Incident, before: str, at: datetime) -> Listed:
    found = decisions.decisions_of(incident.pk, before=_moment(before))
    shown = found[: decisions.PAGE]
    lines = [_decision(one, incident, at) for one in shown]
    last = shown[-1] if len(found) > decisions.PAGE else None
    return lines, f"{last.occurred_at.isoformat()}_{last.sequence}" if last else ""


def _moment(before: str) -> tuple[datetime, int] | None:
    """A place among the decisions: when, and which entry. What cannot be one is the beginning."""
    when, _, sequence = before.partition("_")
    place = whole_number(sequence)
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        return None
    return (moment, place) if place is not None and moment.tzinfo is not None else None


def _decision(one: decisions.Decision, incident: Incident, at: datetime) -> Line:
    run = f" to #{number(one.last)}" if one.last is not None and one.last > one.sequence else ""
    return _entry_line(
        one.sequence, one.occurred_at, incident, at, TAKEN_OUT if one.is_taken_out else one.summary, one.actor, run
    )


def _entry_line(
    sequence: int, moment: datetime, incident: Incident, at: datetime, words: str, actor: str, run: str = ""
) -> Line:
    return Line(
        when=clock(moment, incident.zone, at),
        full=full_clock(moment, incident.zone),
        mark=f"#{number(sequence)}{run}",
        sequence=sequence,
        tone="",
        words=words,
        other="",
        asked="",
        decided=actor,
        with_what="",
    )


def _corrections(incident: Incident, before: str, at: datetime) -> Listed:
    found = decisions.corrections_of(incident.pk, before=whole_number(before))
    lines = [_correction(one, incident, at) for one in found[: decisions.PAGE]]
    return lines, str(found[decisions.PAGE - 1].sequence) if len(found) > decisions.PAGE else ""


def _correction(one: decisions.Correction, incident: Incident, at: datetime) -> Line:
    stood = TAKEN_OUT if one.is_first_taken_out else one.first_summary
    return Line(
        when=clock(one.recorded_at, incident.zone, at),
        full=full_clock(one.recorded_at, incident.zone),
        mark=f"#{number(one.sequence)}",
        sequence=one.sequence,
        tone="",
        words=TAKEN_OUT if one.is_taken_out else one.summary,
        other=f"#{number(one.corrects)} said: {stood}",
        asked=one.first_actor,
        decided=one.actor,
        with_what="",
    )


def _redactions(incident: Incident, before: str, at: datetime) -> Listed:
    found = decisions.redactions_of(incident.pk, before=whole_number(before))
    lines = [_redaction(one, incident, at) for one in found[: decisions.PAGE]]
    return lines, str(found[decisions.PAGE - 1].id) if len(found) > decisions.PAGE else ""


def _redaction(one: decisions.Redacted, incident: Incident, at: datetime) -> Line:
    status = Redaction.Status(one.status)
    tones = {Redaction.Status.APPROVED: "bad", Redaction.Status.REQUESTED: "wait"}
    return Line(
        when=clock(one.requested_at, incident.zone, at),
        full=full_clock(one.requested_at, incident.zone),
        mark=f"#{number(one.sequence)}",
        sequence=one.sequence,
        tone=tones.get(status, ""),
        words=f"{status.label}: {one.reason}",
        other=f"Legal basis: {one.legal_basis}" + (f". {one.note}" if one.note else ""),
        asked=one.asked_by,
        decided=one.decided_by or "nobody",
        with_what=clock(one.decided_at, incident.zone, at) if one.decided_at else "",
    )


KINDS: Final[Mapping[str, tuple[str, str, Callable[[Incident, str, datetime], Listed]]]] = {
    "approvals": (
        "Approvals",
        "What needed a second person: who asked, who decided, and with what they proved who they are.",
        _approvals,
    ),
    "decisions": (
        "Decisions",
        "Entries that say what was decided. What was decided of many accounts at once is one line.",
        _decisions,
    ),
    "corrections": (
        "Corrections",
        "What an entry said first, and what stands. Both stay on the timeline.",
        _corrections,
    ),
    "redactions": (
        "Redactions",
        "Content that was taken out, or was asked to be. Two people each time; the record stays, and the chain holds.",
        _redactions,
    ),
}

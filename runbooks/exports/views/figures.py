"""A past figure, counted anew: how the incident stood at a moment or at an entry, and which entries made it so."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import require
from runbooks.affected_accounts.models import State
from runbooks.affected_accounts.transitions import GROUP_LABELS, GROUPS
from runbooks.exports.queries import past
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock, full_clock, number, zone_name
from runbooks.timeline import queries
from runbooks.timeline.lines import TAKEN_OUT
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.operations import now

# "11:40", "2017-06-24T11:40", "2017-06-24 11:40:07": a browser's field gives the second, people paste the third.
MOMENT: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:\d{2})?")
# A number that counts something: no part of a time, an address, a version, an entry's number.
QUOTED: Final = re.compile(r"(?<![\w#.:/@+-])(\d{1,3}(?:,\d{3})+|\d{1,7})(?![\w:/@]|[.,]\d)")
ENTRY: Final = re.compile(r"#?(\d{1,3}(?:,\d{3})+|\d{1,18})")
QUOTED_MOST: Final = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page is as of: entry `sequence`, by the moment `at` where that was asked for, else the present or it.

    `quoting` is the entry whose words are compared with the figures just before it.
    """

    sequence: int
    said: str
    at: datetime | None = None
    quoting: TimelineEvent | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Quoted:
    """A number of an entry's words, and the figures that were so."""

    number: str
    figures: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A line of what moved a figure."""

    first: int
    numbers: str
    when: str
    full: str
    change: str
    stood: str
    what: str
    who: str


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "view_seal", incident.pk)
    typed = {name: request.GET.get(name, "").strip()[:40] for name in ("at", "entry", "figure", "before")}
    asked = _asked(incident, typed["at"], typed["entry"], at)
    found = past.past_of(incident, asked.sequence, at=asked.at)
    figure = typed["figure"] if typed["figure"] in past.FIGURES else "contained"
    lines, following = _moved(incident, asked.sequence, figure, typed["before"], at)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "exports",
        "typed": typed,
        "latest": f"{at.astimezone(incident.zone):%Y-%m-%dT%H:%M}",
        "zone": zone_name(at.astimezone(incident.zone)),
        "asked": asked,
        "past": found,
        "counts": found.groups,
        "recorded": full_clock(found.recorded_at, incident.zone) if found.recorded_at else "",
        "figures": _figures(found),
        "states": _states(found),
        "differences": _differences(found),
        "quoted": _quoted(asked.quoting, found),
        "quoting_words": _words(asked.quoting),
        "figure": figure,
        "figure_label": past.FIGURES[figure][0],
        "figure_names": [(name, label) for name, (label, _) in past.FIGURES.items()],
        "moved": lines,
        "next": following,
        "is_paged": bool(typed["before"]),
    }
    return render(request, "exports/figures.html", context)


# What was asked for


def _asked(incident: Incident, moment: str, entry: str, now_: datetime) -> Asked:
    present = Asked(incident.head_sequence, "Now", None)
    if entry:
        return _of_entry(incident, entry, present)
    if not moment:
        return present
    try:
        at, said = _moment(moment, incident.zone)
    except ValueError:
        return Asked(present.sequence, present.said, problem="That is no moment. Write it as 2017-06-24 11:40.")
    if at > now_ + timedelta(minutes=1):
        return Asked(present.sequence, present.said, problem="That moment is still to come. These are the figures now.")
    return Asked(past.last_at(incident, at), said, at)


def _moment(typed: str, zone: ZoneInfo) -> tuple[datetime, str]:
    """The end of the minute, or second, that was typed: what is quoted as of 11:40 was read within it."""
    parts = MOMENT.fullmatch(typed)
    if parts is None:
        raise ValueError
    day, minute, seconds = parts.groups()
    begun = datetime.fromisoformat(f"{day}T{minute}{seconds or ''}").replace(tzinfo=zone)
    length = timedelta(seconds=1) if seconds else timedelta(minutes=1)
    clock_ = f"{begun:%H:%M:%S}" if seconds else f"{begun:%H:%M}"
    said = f"{begun:%a} {begun.day} {begun:%b %Y}, to the end of {clock_}"
    return begun + length - timedelta(microseconds=1), f"{said} {zone_name(begun)}"


def _of_entry(incident: Incident, typed: str, present: Asked) -> Asked:
    """The figures that the entry's author could know: those just before it."""
    parts = ENTRY.fullmatch(typed)
    sequence = int(parts.group(1).replace(",", "")) if parts else 0
    if not 1 <= sequence <= incident.head_sequence:
        there = f"from 1 to {number(incident.head_sequence)}" if incident.head_sequence else "none yet"
        return Asked(present.sequence, present.said, problem=f"There is no such entry. Their numbers go {there}.")
    event = queries.entry(incident.pk, sequence)
    return Asked(sequence - 1, f"Just before entry #{number(sequence)}", quoting=event)


# What is shown of it


def _figures(found: past.Past) -> list[dict[str, Any]]:
    return [
        {"name": name, "label": label, "count": number(found.figure(name))} for name, (label, _) in past.FIGURES.items()
    ]


def _states(found: past.Past) -> list[tuple[str, str, str]]:
    """State, mark, accounts: those that somebody was in, in the order of the states."""
    return [
        (state.label, GROUP_LABELS[GROUPS[state]], number(found.states[state]))
        for state in State
        if found.states.get(state)
    ]


def _differences(found: past.Past) -> list[str]:
    if found.rows is None or found.agrees:
        return []
    both = ((state, found.states.get(state, 0), found.rows.get(state, 0)) for state in State)
    return [
        f"{state.label}: {number(entries)} by the entries, {number(rows)} by the rows"
        for state, entries, rows in both
        if entries != rows
    ]


def _words(event: TimelineEvent | None) -> str:
    return "" if event is None else event.summary if event.salt is not None else TAKEN_OUT


def _quoted(event: TimelineEvent | None, found: past.Past) -> list[Quoted]:
    """Each number of its words with the figures of that height. None: it may count something else."""
    if event is None or event.salt is None:
        return []
    heights: dict[int, list[str]] = {}
    for name, (label, _) in past.FIGURES.items():
        heights.setdefault(found.figure(name), []).append(label)
    for label, height in (
        ("Steps closed", found.steps_closed),
        ("Steps", found.steps),
        ("Remote access restricted", found.restricted),
    ):
        heights.setdefault(height, []).append(label)
    numbers = list(dict.fromkeys(QUOTED.findall(event.summary)))[:QUOTED_MOST]
    return [Quoted(one, "; ".join(heights.get(int(one.replace(",", "")), []))) for one in numbers]


def _moved(incident: Incident, sequence: int, figure: str, before: str, at: datetime) -> tuple[list[Moved], str]:
    found = past.moves_of(incident.pk, sequence, figure, before=whole_number(before))
    lines = [_move(one, incident, at) for one in found[: past.PAGE]]
    return lines, str(found[past.PAGE - 1].first) if len(found) > past.PAGE else ""


def _move(one: past.Move, incident: Incident, at: datetime) -> Moved:
    change = [f"+{number(one.came)}"] if one.came else []
    change += [f"−{number(one.went)}"] if one.went else []
    return Moved(
        first=one.first,
        numbers=f"#{number(one.first)}" + (f" to #{number(one.last)}" if one.last > one.first else ""),
        when=clock(one.recorded_at, incident.zone, at),
        full=full_clock(one.recorded_at, incident.zone),
        change=" ".join(change),
        stood=number(one.stood),
        what=TAKEN_OUT if one.is_taken_out else one.summary,
        who=one.actor,
    )

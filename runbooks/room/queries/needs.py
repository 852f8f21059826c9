"""What needs somebody now, in one incident: most dangerous first, each with its one next thing to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from runbooks.access.permissions import Actor, can
from runbooks.affected_accounts.models import State
from runbooks.containment.queries import Deadline, DeadlineStep, DueStep, deadlines, due_steps
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.presentation import clock, plural, span, time_left
from runbooks.room.queries.action_needs import action_needs
from runbooks.room.queries.call_needs import call_lines
from runbooks.room.queries.header import undelivered
from runbooks.room.queries.holder_needs import holder_lines
from runbooks.room.queries.need import Need
from runbooks.room.queries.reach_needs import reach_lines
from runbooks.room.queries.tally import Tally

ACTIONS_AT_MOST = 8


@dataclass(frozen=True, slots=True)
class NeedGroup:
    title: str
    total: int
    items: list[Need]


@dataclass(frozen=True, slots=True)
class Needs:
    groups: list[NeedGroup]
    everyones_late: int


def needs(incident: Incident, counted: Tally, actor: Actor, now: datetime) -> Needs:
    """Three queries: the steps as this person sees them, and what no entry tells of: notices, and how people are
    reached."""
    due = due_steps(incident, actor, now)
    groups = []
    if calls := call_lines(incident, actor, now):
        groups.append(NeedGroup("Calls", len(calls), calls))
    if acts := action_needs(incident, counted.actions, actor, now):
        groups.append(NeedGroup("Actions", len(acts), acts[:ACTIONS_AT_MOST]))
    if holders := holder_lines(incident, counted.holders, actor):
        groups.append(NeedGroup("Holders", len(holders), holders))
    if unsettled := _to_settle(incident, counted, actor):
        groups.append(NeedGroup("To settle", len(unsettled), unsettled))
    if ready := _ready(incident, counted.ready, actor):
        groups.append(NeedGroup("Accounts that can move on", len(ready), ready))
    if due.mine:
        page = reverse("steps", args=[incident.reference])
        steps = [_step(incident, step, page, now) for step in due.mine]
        groups.append(NeedGroup("Your steps", due.mine_total, steps))
    return Needs(groups, counted.late(now))


def _to_settle(incident: Incident, counted: Tally, actor: Actor) -> list[Need]:
    reference, found = incident.reference, []
    if incident.lead_id is None and can(actor, "manage_people"):
        address = reverse("incident_people", args=[reference])
        found.append(
            Need("user", "bad", "Nobody leads this incident", address, "Name a lead: somebody must decide.", "Name")
        )
    if can(actor, "import_affected") and (lines := counted.unresolved):
        address = reverse("accounts_unresolved", args=[reference])
        title = f"{plural(lines, 'line')} of the lists {'names' if lines == 1 else 'name'} nobody for sure"
        found.append(Need("warn", "wait", title, address, "Pick the account, or say that it is nobody.", "Settle"))
    if can(actor, "manage_people") and (notices := undelivered(incident)):
        address = f"{reverse('notices', args=[reference])}?show=undelivered"
        found.append(
            Need(
                "fail", "bad", f"{plural(notices, 'notice')} did not arrive", address, "Tell them another way.", "Show"
            )
        )
    found += reach_lines(incident, actor)
    if can(actor, "log_contact"):
        contact = counted.contact
        if contact.never_tried:
            address = f"{reverse('accounts', args=[reference])}?contact=never"
            title = f"{plural(contact.never_tried, 'holder')} never tried"
            meta = f"{contact.reached:,} of {plural(contact.holders, 'holder')} reached. Not by their mailbox."
            found.append(Need("phone", "wait", title, address, meta, "Call list"))
    return found


def _ready(incident: Incident, counts: Mapping[State, int], actor: Actor) -> list[Need]:
    """Accounts whose facts allow the next state."""
    if not can(actor, "assess_account"):
        return []
    return [
        Need(
            "right",
            "",
            f"{plural(count, 'account')} can become {state.label.lower()}",
            f"{reverse('accounts', args=[incident.reference])}?ready={state.value}",
            "All facts for it are there.",
            "Show",
        )
        for state, count in counts.items()
        if count and state != State.WATCHED
    ]


def _step(incident: Incident, step: DueStep, page: str, now: datetime) -> Need:
    icon, tone = ("overdue", "bad") if step.is_late else ("doing", "") if step.is_running else ("todo", "")
    when = ""
    if step.due_at:
        when = time_left(step.due_at, now) if step.is_late else clock(step.due_at, incident.zone, now)
    who = step.owner_name or f"{IncidentRole.Kind(step.role).label}, nobody has claimed it"
    address = f"{page}?open={step.key}#step-{step.key}"
    meta = who + (", needs two people" if step.two_person else "")
    return Need(icon, tone, f"{step.number} {step.title}", address, meta, when=when)


@dataclass(frozen=True, slots=True)
class DeadlineLine:
    title: str
    address: str
    tone: str
    left: str
    meta: str
    used: int
    show_track: bool


def deadline_lines(incident: Incident, steps: Sequence[DeadlineStep], now: datetime) -> list[DeadlineLine]:
    page = reverse("steps", args=[incident.reference])
    return [_deadline(incident, line, page, now) for line in deadlines(incident, now, steps)]


SOON_SHARE = 90


def _deadline(incident: Incident, line: Deadline, page: str, now: datetime) -> DeadlineLine:
    due = f"Due {clock(line.due_at, incident.zone, now)}"
    if line.closed_at:
        after = span(line.closed_at - incident.declared_at)
        said = "Waived" if line.is_waived else "Met late" if line.was_late else "Met"
        tone, left = ("" if line.is_waived else "wait" if line.was_late else "good"), said
        meta = f"{clock(line.closed_at, incident.zone, now)}, {after} after declaration"
    elif line.is_late:
        tone, left, meta = "bad", f"{span(now - line.due_at)} late", due
    else:
        tone, left = ("wait" if line.share >= SOON_SHARE else ""), span(line.due_at - now)
        meta = f"{due}, step {line.number}"
    address = f"{page}?open={line.key}#step-{line.key}"
    return DeadlineLine(
        line.label, address, tone, left, meta, line.share, show_track=not line.closed_at and not line.is_late
    )

"""What an incident's actions need of somebody now, most dangerous first."""

from datetime import datetime
from typing import Final

from django.urls import reverse

from runbooks.access.permissions import Actor, can
from runbooks.actions.models import Action
from runbooks.actions.queries.attention import Attention
from runbooks.incidents.models import Incident
from runbooks.presentation import number, plural, time_left
from runbooks.room.queries.need import Need

Kind, Status = Action.Kind, Action.Status
# What it means that the effect of such an action does not show: the accounts stand between.
DIFFERS: Final = {
    Kind.LOCK_ACCOUNT: ("Sign-in of", "is still enabled"),
    Kind.UNLOCK_ACCOUNT: ("Sign-in of", "is still disabled"),
    Kind.END_SESSIONS: ("Sessions of", "were not ended"),
    Kind.REQUIRE_PASSWORD_CHANGE: ("The required password change of", "is not there"),
    Kind.RESTRICT_REMOTE_ACCESS: ("Remote access of", "is still open"),
    Kind.RESTORE_REMOTE_ACCESS: ("Remote access of", "is still restricted"),
}
GOING_ON: Final = (Status.RUNNING, Status.PAUSED, Status.DONE_WITH_FAILURES)


def action_needs(incident: Incident, lines: list[Attention], actor: Actor, now: datetime) -> list[Need]:
    """Requests for this person, stops and failures, what differs, what is with people, what is to be reviewed."""
    found = [] if incident.is_over else _open_needs(incident, lines, actor, now)
    if can(actor, "approve_action"):
        unreviewed = [line for line in lines if line.is_unreviewed and not line.is_by(actor)]
        found += [_unreviewed(line, _address(incident, line)) for line in unreviewed]
    return found


def _open_needs(incident: Incident, lines: list[Attention], actor: Actor, now: datetime) -> list[Need]:
    found = [_request(line, _address(incident, line), now) for line in lines if line.waits_for(actor)]
    if can(actor, "control_action"):
        found += [_stopped(line, _address(incident, line)) for line in lines if line.status == Status.PAUSED]
        found += [_failed(line, _address(incident, line)) for line in lines if _has_failed(line)]
        found += [_differs(line, _address(incident, line)) for line in lines if line.differs]
    if can(actor, "settle_action"):
        found += [_in_hand(line, _address(incident, line)) for line in lines if line.unknown or line.pending]
    return found


def _address(incident: Incident, line: Attention) -> str:
    return reverse("action", args=[incident.reference, line.number])


def _has_failed(line: Attention) -> bool:
    return bool(line.failed) and line.status in GOING_ON


def _request(line: Attention, address: str, now: datetime) -> Need:
    left = f", expires {time_left(line.expires_at, now)}" if line.expires_at and line.expires_at > now else ""
    title = f"{line.title} for {plural(line.total, 'account')}: decide"
    return Need("two", "wait", title, address, f"{line.asked_by} asks for a second person{left}.", "Decide")


def _stopped(line: Attention, address: str) -> Need:
    title = f"Action {line.number} is paused: {line.title.lower()}"
    return Need("pause", "wait", title, address, line.paused_because, "Look")


def _failed(line: Attention, address: str) -> Need:
    title = f"{line.title} failed for {plural(line.failed, 'account')}"
    return Need(
        "fail", "bad", title, f"{address}?show=failed", f"Action {line.number}. See why, then retry only them.", "Show"
    )


def _differs(line: Attention, address: str) -> Need:
    said = DIFFERS.get(Kind(line.kind))
    accounts = plural(line.differs, "account")
    if line.is_undoing or said is None:
        title = f"{accounts} {'is' if line.differs == 1 else 'are'} not as action {line.number} put them back"
    else:
        title = f"{said[0]} {accounts} {said[1]}"
    meta = f"Seen at the last read-back of action {line.number}."
    return Need("warn", "bad", title, f"{address}?show=differs", meta, "Show")


def _in_hand(line: Attention, address: str) -> Need:
    count = line.unknown + line.pending
    title = f"{plural(count, 'account')} of action {line.number} {'needs' if count == 1 else 'need'} a person"
    show = "unknown" if line.unknown else "pending"
    said = f"{number(line.unknown)} of which nobody knows whether it was done. " if line.unknown else ""
    said += f"{number(line.pending)} on the work list. " if line.pending else ""
    return Need("user", "wait", title, f"{address}?show={show}", f"{said}{line.title}.", "Settle")


def _unreviewed(line: Attention, address: str) -> Need:
    title = f"Action {line.number} was begun without a second person"
    return Need("eye", "bad", title, address, f"{line.title}, by {line.asked_by}. Say what you found.", "Review")

"""Taking the content of an entry out: asked for by one person, decided by another, and an entry itself.

Salt and content go; the record, and with it the chain, stays. What else of the portal holds the same words is another
matter: queries/redactions.py tells it before anybody decides.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from runbooks.access.confirming import Confirmation, require_confirmed
from runbooks.access.models import User
from runbooks.access.permissions import IN_INCIDENT, Actor, require
from runbooks.errors import DomainError, NotFoundError
from runbooks.exports.models import Redaction
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.notifications.operations import announce, working_in
from runbooks.notifications.operations.silencing import silence
from runbooks.presentation import number
from runbooks.timeline import queries
from runbooks.timeline.models import Lane, TimelineEvent
from runbooks.timeline.operations import Entry, record

Status = Redaction.Status
REASON_MAX, BASIS_MAX = 400, 200
TAKEN_OUT: Final = "What this notice said was taken out with entry {} of the timeline.\n"


class CannotRedactError(DomainError):
    """The request does not hold together, or cannot be decided like this. `field` names what is wrong, or is empty."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class SecondPersonError(DomainError):
    """Whoever asks never decides."""

    status = 403


@transaction.atomic
def ask_redaction(
    *, incident_id: UUID, sequence: int, reason: str, legal_basis: str, actor: Actor, at: datetime
) -> Redaction:
    """Ask that an entry's content be taken out for ever. Closed incidents take it as well: that is when people ask."""
    require(actor, "ask_redaction", incident_id)
    incident = lock(incident_id)
    event = queries.entry(incident_id, sequence)
    reason, legal_basis = " ".join(reason.split()), " ".join(legal_basis.split())
    _check(event, reason, legal_basis, actor)
    redaction = Redaction.objects.create(
        incident=incident,
        event=event,
        reason=reason,
        legal_basis=legal_basis,
        requester_id=_person(actor),
        requested_at=at,
    )
    summary = f"{actor} asked that the content of #{number(sequence)} be taken out. Legal basis: {legal_basis}"
    _record(incident, "redaction.requested", summary, redaction, actor, at)
    context = {"sequence": number(sequence), "asked_by": actor.name, "legal_basis": legal_basis}
    announce(incident, "redaction.requested", context, at=at, to=deciders(incident_id))
    return redaction


def deciders(incident_id: UUID) -> list[User]:
    return [user for user in working_in(incident_id) if user.role in IN_INCIDENT["decide_redaction"]]


def _check(event: TimelineEvent, reason: str, legal_basis: str, actor: Actor) -> None:
    if not reason or len(reason) > REASON_MAX:
        raise CannotRedactError(f"Say why, in at most {REASON_MAX} characters: others will ask.", "reason")
    if not legal_basis or len(legal_basis) > BASIS_MAX:
        said = f"Name what obliges you to, in at most {BASIS_MAX} characters, such as Article 17 of the UK GDPR."
        raise CannotRedactError(said, "legal_basis")
    if event.salt is None:
        raise CannotRedactError(f"The content of #{number(event.sequence)} was taken out already.")
    if Redaction.objects.filter(event=event, status=Status.REQUESTED).exists():
        raise CannotRedactError(f"Somebody asked for #{number(event.sequence)} already. It waits for a second person.")


def _person(actor: Actor) -> int:
    if actor.user_id is None:
        raise CannotRedactError("Only a person who signed in can ask for this or decide it.")
    return actor.user_id


@transaction.atomic
def approve_redaction(
    *,
    incident_id: UUID,
    redaction_id: int,
    note: str,
    actor: Actor,
    confirmed: Confirmation | None,
    at: datetime,
) -> Redaction:
    """Erase salt and content of the entry, and the words of notices written of it. Nothing brings them back."""
    require(actor, "decide_redaction", incident_id)
    require_confirmed(confirmed, actor, at)
    incident = lock(incident_id)
    redaction = _open(incident, redaction_id)
    _second(redaction, actor)
    _settle(redaction, Status.APPROVED, note, actor, at)
    event = redaction.event
    # The trigger lets exactly this through, and only now that the row above says so.
    TimelineEvent.objects.filter(pk=event.pk).update(salt=None, summary="", details={})
    silenced = silence(incident.pk, event.sequence, body=TAKEN_OUT.format(event.sequence))
    sequence = number(event.sequence)
    summary = f"Content of #{sequence} taken out. Legal basis: {redaction.legal_basis}"
    details = {"asked_by": str(redaction.requester), "decided_by": actor.name, "notices": silenced}
    _record(incident, "entry.redacted", summary, redaction, actor, at, corrects=event.sequence, **details)
    context = {
        "sequence": sequence,
        "asked_by": str(redaction.requester),
        "decided_by": actor.name,
        "legal_basis": redaction.legal_basis,
    }
    announce(incident, "entry.redacted", context, at=at)
    return redaction


@transaction.atomic
def refuse_redaction(*, incident_id: UUID, redaction_id: int, note: str, actor: Actor, at: datetime) -> Redaction:
    """Say no, and why; the entry stays as it is."""
    require(actor, "decide_redaction", incident_id)
    incident = lock(incident_id)
    redaction = _open(incident, redaction_id)
    _second(redaction, actor)
    if not note.strip():
        raise CannotRedactError("Say why you refuse: whoever asked needs to know.", "note")
    _settle(redaction, Status.REFUSED, note, actor, at)
    summary = f"{actor} refused to take out the content of #{number(redaction.event.sequence)}"
    _record(incident, "redaction.refused", summary, redaction, actor, at, note=redaction.decision_note)
    return redaction


@transaction.atomic
def withdraw_redaction(*, incident_id: UUID, redaction_id: int, actor: Actor, at: datetime) -> Redaction:
    """Whoever asked asks no more."""
    require(actor, "ask_redaction", incident_id)
    incident = lock(incident_id)
    redaction = _open(incident, redaction_id)
    if redaction.requester_id != actor.user_id:
        raise CannotRedactError(f"Only {redaction.requester} can withdraw this. A coordinator can refuse it.")
    redaction.status, redaction.decided_at = Status.WITHDRAWN, at
    redaction.save(update_fields=["status", "decided_at"])
    summary = f"{actor} withdrew the request to take out the content of #{number(redaction.event.sequence)}"
    _record(incident, "redaction.withdrawn", summary, redaction, actor, at)
    return redaction


def _open(incident: Incident, redaction_id: int) -> Redaction:
    rows = Redaction.objects.select_for_update(of=("self",)).select_related("event", "requester", "decider")
    redaction = rows.filter(incident=incident, pk=redaction_id).first()
    if redaction is None:
        raise NotFoundError("There is no such request.")
    if redaction.status != Status.REQUESTED:
        by = f" by {redaction.decider}" if redaction.decider else ""
        raise CannotRedactError(f"This was settled meanwhile{by}: {redaction.get_status_display().lower()}.")
    return redaction


def _second(redaction: Redaction, actor: Actor) -> None:
    if redaction.requester_id == _person(actor):
        raise SecondPersonError("You asked for this, so somebody else decides. Another coordinator can.")


def _settle(redaction: Redaction, status: str, note: str, actor: Actor, at: datetime) -> None:
    redaction.status, redaction.decider_id, redaction.decided_at = status, actor.user_id, at
    redaction.decision_note = " ".join(note.split())[:REASON_MAX]
    redaction.save(update_fields=["status", "decider", "decided_at", "decision_note"])


def _record(
    incident: Incident,
    kind: str,
    summary: str,
    redaction: Redaction,
    actor: Actor,
    at: datetime,
    *,
    corrects: int | None = None,
    **details: Any,
) -> None:
    """Never the content: only which entry it is about."""
    about = {
        "sequence": redaction.event.sequence,
        "reason": redaction.reason,
        "legal_basis": redaction.legal_basis,
        **details,
    }
    record(incident, Entry(kind, summary, Lane.DECISION, about, corrects=corrects), actor=actor, at=at)

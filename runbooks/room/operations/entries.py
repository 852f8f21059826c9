"""What people write into the timeline themselves: entries, corrections, pins.

None of it needs a running incident: what comes to light after closing belongs into the record as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.containment.models import Step
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.timeline import queries
from runbooks.timeline.models import Lane, Pin, Precision, TimelineEvent
from runbooks.timeline.moments import AHEAD
from runbooks.timeline.operations import Entry, record
from runbooks.timeline.seal import instant

ACCOUNTS_MAX = 200


class CannotWriteEntryError(DomainError):
    """The entry or correction does not hold together. `field` names the argument that is wrong."""

    status = 400

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class CannotPinError(DomainError):
    """The entry is pinned already, or is not pinned."""


@dataclass(frozen=True, slots=True)
class EntryText:
    """What somebody writes down. `occurred_at` None means now; `logins` name accounts of the incident."""

    summary: str
    lane: str = Lane.NOTE
    occurred_at: datetime | None = None
    precision: str = Precision.SECOND
    logins: Sequence[str] = ()
    step_id: int | None = None
    pin: bool = False


@transaction.atomic
def add_entry(*, incident_id: UUID, text: EntryText, actor: Actor, at: datetime) -> TimelineEvent:
    """Record what somebody saw, did, decided or was told, at the time it happened."""
    require(actor, "add_entry", incident_id)
    if text.pin:
        require(actor, "pin_entry", incident_id)
    incident = lock(incident_id)
    if text.lane not in Lane.values:
        raise CannotWriteEntryError("lane", f"Choose one of {', '.join(lane.label.lower() for lane in Lane)}.")
    occurred_at = text.occurred_at or at
    _refuse_future(occurred_at, at)
    step = _step(incident, text.step_id)
    accounts = _accounts(incident, text.logins)
    details: dict[str, object] = {}
    if accounts:
        details["accounts"] = sorted(accounts.values())
    if step is not None:
        details["step"] = {"key": step.key, "number": step.number}
    if text.pin:
        details["pinned"] = True
    entry = Entry(
        "entry.added",
        text.summary,
        Lane(text.lane),
        details,
        occurred_at=occurred_at,
        precision=Precision(text.precision),
        step_id=step.pk if step else None,
        account_ids=sorted(accounts),
    )
    event = record(incident, entry, actor=actor, at=at)
    if text.pin:
        Pin.objects.create(incident=incident, event=event, pinned_by=actor.name, pinned_at=at)
    return event


@transaction.atomic
def correct_entry(
    *,
    incident_id: UUID,
    sequence: int,
    summary: str,
    occurred_at: datetime,
    precision: str,
    reason: str,
    actor: Actor,
    at: datetime,
) -> TimelineEvent:
    """Say what an entry should have said. The first text stays, struck; the correction stands at the event's time.

    What was corrected before is corrected where it stands now, so that a chain of corrections never forks. A pin
    moves on to the correction.
    """
    require(actor, "correct_entry", incident_id)
    incident = lock(incident_id)
    wrong = _newest(incident_id, sequence)
    right = Entry(
        "entry.corrected",
        summary.strip(),
        Lane(wrong.lane),
        {
            "reason": reason.strip(),
            "corrects": wrong.sequence,
            "before": _said(wrong.summary, wrong.occurred_at, wrong.occurred_precision),
            "after": _said(summary.strip(), occurred_at, precision),
        },
        occurred_at=occurred_at,
        precision=Precision(precision),
        corrects=wrong.sequence,
        step_id=wrong.step_id,
        account_ids=wrong.account_ids,
    )
    _check_correction(wrong, right)
    _refuse_future(occurred_at, at)
    event = record(incident, right, actor=actor, at=at)
    Pin.objects.filter(event=wrong).update(event=event)
    return event


@transaction.atomic
def pin_entry(*, incident_id: UUID, sequence: int, actor: Actor, at: datetime) -> TimelineEvent:
    """Make an entry a key event; returns the entry that says so."""
    require(actor, "pin_entry", incident_id)
    incident = lock(incident_id)
    event = queries.entry(incident_id, sequence)
    if Pin.objects.filter(event=event).exists():
        raise CannotPinError(f"#{sequence} is pinned already.")
    Pin.objects.create(incident=incident, event=event, pinned_by=actor.name, pinned_at=at)
    return _record_pin(incident, event, "entry.pinned", "pinned as a key event", actor, at)


@transaction.atomic
def unpin_entry(*, incident_id: UUID, sequence: int, actor: Actor, at: datetime) -> TimelineEvent:
    """Take the pin off again; returns the entry that says so."""
    require(actor, "pin_entry", incident_id)
    incident = lock(incident_id)
    event = queries.entry(incident_id, sequence)
    removed, _ = Pin.objects.filter(event=event).delete()
    if not removed:
        raise CannotPinError(f"#{sequence} is not pinned.")
    return _record_pin(incident, event, "entry.unpinned", "no longer a key event", actor, at)


def _record_pin(
    incident: Incident, event: TimelineEvent, kind: str, said: str, actor: Actor, at: datetime
) -> TimelineEvent:
    entry = Entry(kind, f"#{event.sequence} {said}: {_shortened(event.summary)}", Lane.NOTE, {"entry": event.sequence})
    return record(incident, entry, actor=actor, at=at)


def _check_correction(wrong: TimelineEvent, right: Entry) -> None:
    if not right.summary:
        raise CannotWriteEntryError("summary", "Write what the entry should say.")
    if not right.details["reason"]:
        raise CannotWriteEntryError("reason", "Say how the mistake came to light: others will ask.")
    if right.details["before"] == right.details["after"]:
        raise CannotWriteEntryError(
            "summary", f"That is what #{wrong.sequence} says already. Change its text or its time."
        )


def _newest(incident_id: UUID, sequence: int) -> TimelineEvent:
    """What stands now in the place of this entry."""
    event = queries.entry(incident_id, sequence)
    later = queries.corrections(incident_id, sequence)
    return later[-1] if later else event


def _refuse_future(occurred_at: datetime, at: datetime) -> None:
    if occurred_at > at + AHEAD:
        raise CannotWriteEntryError("occurred_at", "That is in the future. Check the day and the time zone.")


def _step(incident: Incident, step_id: int | None) -> Step | None:
    if step_id is None:
        return None
    step = Step.objects.filter(incident=incident, pk=step_id).first()
    if step is None:
        raise CannotWriteEntryError("step_id", "This incident has no such step. Choose one from the list.")
    return step


def _accounts(incident: Incident, logins: Sequence[str]) -> dict[int, str]:
    """{AffectedAccount id: login} of the logins, or of the part before the @, where that is one account's."""
    wanted = {login.strip().lower() for login in logins if login.strip()}
    if not wanted:
        return {}
    if len(wanted) > ACCOUNTS_MAX:
        raise CannotWriteEntryError("logins", f"Name at most {ACCOUNTS_MAX} accounts, or attach the list to a step.")
    rows = list(accounts_named(incident.pk, wanted).values_list("pk", "login"))
    missing = sorted(wanted - {part for _, login in rows for part in (login.lower(), login.lower().partition("@")[0])})
    if missing:
        raise CannotWriteEntryError(
            "logins", f"Not in this incident: {', '.join(missing)}. Check the spelling, or add the accounts first."
        )
    doubtful = sorted(name for name in wanted if "@" not in name and _named(rows, name) > 1)
    if doubtful:
        raise CannotWriteEntryError(
            "logins", f"Several accounts begin with {', '.join(doubtful)}@. Write the whole login."
        )
    return dict(rows)


def accounts_named(incident_id: UUID, names: set[str]) -> QuerySet[AffectedAccount]:
    """The incident's accounts with these logins, in any case, whole or up to the @."""
    local = Q()
    for name in names:
        if "@" not in name:
            local |= Q(login__istartswith=f"{name}@")
    accounts = AffectedAccount.objects.filter(incident_id=incident_id).annotate(lower_login=Lower("login"))
    return accounts.filter(Q(lower_login__in=names) | local)


def _named(rows: Sequence[tuple[int, str]], name: str) -> int:
    return sum(login.lower().partition("@")[0] == name for _, login in rows)


def _said(summary: str, occurred_at: datetime, precision: str) -> dict[str, str]:
    return {"summary": summary, "occurred_at": instant(occurred_at), "precision": str(precision)}


def _shortened(summary: str) -> str:
    return summary if len(summary) <= 120 else f"{summary[:117].rsplit(' ', 1)[0]} ..."

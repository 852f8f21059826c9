"""What happens to an incident as a whole: its status, its facts, its people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from runbooks.access.models import Membership, User
from runbooks.access.permissions import Actor, require
from runbooks.background import wake
from runbooks.errors import DomainError, NotFoundError
from runbooks.incidents.models import Incident, IncidentRole, ReferenceCounter
from runbooks.incidents.queries import COLUMNS
from runbooks.notifications.operations import announce
from runbooks.prepared import prepared
from runbooks.timeline.models import Lane
from runbooks.timeline.moments import AHEAD
from runbooks.timeline.operations import Entry, record

Status = Incident.Status
TRANSITIONS: Mapping[str, frozenset[str]] = {
    Status.TRIAGE: frozenset({Status.OPEN, Status.DISMISSED}),
    Status.OPEN: frozenset({Status.CONTAINED, Status.DISMISSED}),
    Status.CONTAINED: frozenset({Status.OPEN, Status.ERADICATED}),
    Status.ERADICATED: frozenset({Status.OPEN, Status.CONTAINED, Status.RECOVERED}),
    Status.RECOVERED: frozenset({Status.OPEN, Status.ERADICATED, Status.CLOSED}),
    Status.CLOSED: frozenset({Status.RECOVERED}),
    Status.DISMISSED: frozenset({Status.TRIAGE}),
}
# The moment each status was first reached, where the incident keeps one.
REACHED_AT = {
    Status.CONTAINED: "contained_at",
    Status.ERADICATED: "eradicated_at",
    Status.RECOVERED: "recovered_at",
    Status.CLOSED: "closed_at",
    Status.DISMISSED: "closed_at",
}
FORWARD = list(Status)
# In SQL because everybody of an incident waits for it: what the ORM puts together anew for each takes longer.
LOCKED = " ".join(("SELECT", ", ".join(COLUMNS), "FROM runbooks_incident WHERE id = %s FOR UPDATE"))


class CannotChangeStatusError(DomainError):
    """The status does not follow from the present one."""


class StaleFormError(DomainError):
    """Somebody else changed it since the form was opened. `current` holds what stands now."""

    def __init__(self, message: str, current: Mapping[str, object]) -> None:
        super().__init__(message)
        self.current = current


class CannotEditError(DomainError):
    """The facts do not hold together."""

    status = 400


class CannotChangePeopleError(DomainError):
    """The person cannot take or leave that place."""


class IncidentOverError(DomainError):
    """The incident is closed or dismissed: reopen it first."""


def lock(incident_id: UUID) -> Incident:
    """The incident, locked until the transaction ends. Every operation takes this lock first, so none deadlock."""
    if not connection.in_atomic_block:
        raise TransactionManagementError("An incident is locked in the transaction that changes it")
    with prepared() as cursor:
        cursor.execute(LOCKED, [incident_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFoundError("There is no such incident.")
    return Incident.from_db(connection.alias, COLUMNS, row)


def lock_running(incident_id: UUID) -> Incident:
    """As `lock`, for work that a closed incident no longer takes."""
    incident = lock(incident_id)
    if incident.is_over:
        raise IncidentOverError(
            f"{incident.reference} is {incident.get_status_display().lower()}. Reopen it before you change anything."
        )
    return incident


def next_reference(year: int) -> tuple[int, str]:
    """The year's next number and reference. Under the counter's row lock, so no number is skipped or given twice."""
    ReferenceCounter.objects.get_or_create(year=year)
    counter = ReferenceCounter.objects.select_for_update().get(year=year)
    counter.last_number += 1
    counter.save(update_fields=["last_number"])
    return counter.last_number, f"IR-{year}-{counter.last_number:04d}"


@transaction.atomic
def change_status(*, incident_id: UUID, status: str, reason: str, actor: Actor, at: datetime) -> Incident:
    """Move the incident on, or back with a reason. Only the transitions of the table are allowed."""
    require(actor, "change_status", incident_id)
    incident = lock(incident_id)
    before = Status(incident.status)
    if status not in TRANSITIONS[before]:
        allowed = " or ".join(Status(name).label.lower() for name in FORWARD if name in TRANSITIONS[before])
        raise CannotChangeStatusError(f"The incident is {before.label.lower()}. From there it can become {allowed}.")
    after, reason = Status(status), reason.strip()
    is_back = FORWARD.index(after) < FORWARD.index(before) or after == Status.DISMISSED
    if is_back and not reason:
        raise CannotChangeStatusError(f"Say why the incident becomes {after.label.lower()}: others will ask.")
    incident.status = after
    changed = _set_moments(incident, before, after, at)
    incident.save(update_fields=["status", *changed])
    verb = f"set back to {after.label.lower()}" if is_back and after != Status.DISMISSED else after.label.lower()
    summary = f"Incident declared {verb}" + (f": {reason}" if reason else "")
    details = {"before": before.value, "after": after.value, "reason": reason}
    record(incident, Entry("incident.status_changed", summary, Lane.DECISION, details), actor=actor, at=at)
    announce(
        incident, "incident.status_changed", {"before": before.label, "after": after.label, "reason": reason}, at=at
    )
    if incident.is_over:
        wake("exports.checkpoint", incident_id=str(incident.pk), reason="closing")
    return incident


def _set_moments(incident: Incident, before: Status, after: Status, at: datetime) -> list[str]:
    """Stamp the status that was reached; unstamp those that a step back makes untrue."""
    changed = []
    for status, name in REACHED_AT.items():
        if status == after:
            setattr(incident, name, at)
            changed.append(name)
        elif FORWARD.index(after) < FORWARD.index(status) <= FORWARD.index(before) and name != REACHED_AT.get(after):
            setattr(incident, name, None)
            changed.append(name)
    return changed


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """What may be edited of an incident, all of it at once."""

    title: str
    codename: str
    severity: int
    tlp: str
    detected_at: datetime
    detected_by: str
    time_zone: str
    untrusted_domains: list[str] = field(default_factory=list)


LABELS = {
    "title": "Title",
    "codename": "Codename",
    "severity": "Severity",
    "tlp": "Sharing",
    "detected_at": "Noticed",
    "detected_by": "Noticed by",
    "time_zone": "Time zone",
    "untrusted_domains": "Domains not to trust",
}


@transaction.atomic
def edit(*, incident_id: UUID, version: int, facts: IncidentFacts, actor: Actor, at: datetime) -> Incident:
    """Change the incident's facts. A form made from an older version is refused, with what stands now."""
    require(actor, "edit_incident", incident_id)
    incident = lock(incident_id)
    if incident.version != version:
        raise StaleFormError(
            "Somebody else changed these facts since you opened the form. Compare, then save again.",
            {label: _said(getattr(incident, name)) for name, label in LABELS.items()},
        )
    if facts.detected_at > at + AHEAD:
        raise CannotEditError("It was noticed in the future? Check the date and the time zone.")
    changes = {
        name: [_said(getattr(incident, name)), _said(getattr(facts, name))]
        for name in LABELS
        if getattr(incident, name) != getattr(facts, name)
    }
    if not changes:
        return incident
    for name in changes:
        setattr(incident, name, getattr(facts, name))
    incident.version += 1
    incident.save(update_fields=[*changes, "version"])
    said = "; ".join(f"{LABELS[name].lower()} from “{old}” to “{new}”" for name, (old, new) in changes.items())
    record(
        incident, Entry("incident.edited", f"Changed {said}", Lane.DECISION, {"changes": changes}), actor=actor, at=at
    )
    return incident


def _said(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


@transaction.atomic
def add_member(*, incident_id: UUID, user_id: int, actor: Actor, at: datetime) -> Membership:
    """Let somebody see the incident."""
    require(actor, "manage_people", incident_id)
    incident = lock(incident_id)
    user = _user(user_id)
    if Membership.objects.filter(incident=incident, user=user, ended_at__isnull=True).exists():
        raise CannotChangePeopleError(f"{user} is in this incident already.")
    membership = Membership.objects.create(incident=incident, user=user, added_by=actor.name, added_at=at)
    details = {"user": user.username, "role": user.role}
    summary = f"{user} ({user.get_role_display().lower()}) joined the incident"
    record(incident, Entry("member.added", summary, Lane.DECISION, details), actor=actor, at=at)
    announce(incident, "member.added", {"who": str(user)}, at=at, to=[user])
    return membership


@transaction.atomic
def end_membership(*, incident_id: UUID, user_id: int, actor: Actor, at: datetime) -> None:
    """From now on this person does not see the incident. The lead hands over first."""
    require(actor, "manage_people", incident_id)
    incident = lock(incident_id)
    membership = Membership.objects.filter(incident=incident, user_id=user_id, ended_at__isnull=True).first()
    if membership is None:
        raise CannotChangePeopleError("This person is not in the incident.")
    if incident.lead_id == user_id:
        raise CannotChangePeopleError(f"{membership.user} is the lead. Hand the lead over first.")
    membership.ended_at = at
    membership.save(update_fields=["ended_at"])
    IncidentRole.objects.filter(incident=incident, user_id=user_id, until__isnull=True).update(until=at)
    details = {"user": membership.user.username}
    record(
        incident,
        Entry("member.removed", f"{membership.user} left the incident", Lane.DECISION, details),
        actor=actor,
        at=at,
    )


@transaction.atomic
def give_role(*, incident_id: UUID, kind: str, user_id: int, note: str, actor: Actor, at: datetime) -> IncidentRole:
    """Give somebody a role. The lead and the deputy are one person each, so giving those is a hand-over."""
    require(actor, "manage_people", incident_id)
    incident = lock(incident_id)
    user, role = _user(user_id), IncidentRole.Kind(kind)
    held = IncidentRole.objects.filter(incident=incident, kind=role, until__isnull=True).select_related("user")
    if any(one.user_id == user.pk for one in held):
        raise CannotChangePeopleError(f"{user} is {role.label.lower()} already.")
    before = [str(one.user) for one in held]
    if role in {IncidentRole.Kind.LEAD, IncidentRole.Kind.DEPUTY}:
        held.update(until=at)
    if not Membership.objects.filter(incident=incident, user=user, ended_at__isnull=True).exists():
        Membership.objects.create(incident=incident, user=user, added_by=actor.name, added_at=at)
    given = IncidentRole.objects.create(incident=incident, kind=role, user=user, since=at, note=note.strip())
    if role == IncidentRole.Kind.LEAD:
        incident.lead = user
        incident.save(update_fields=["lead"])
    summary = (
        f"{user} took over as {role.label.lower()} from {', '.join(before)}"
        if before and role in {IncidentRole.Kind.LEAD, IncidentRole.Kind.DEPUTY}
        else f"{user} became {role.label.lower()}"
    )
    summary += f": {given.note}" if given.note else ""
    details = {"role": role.value, "user": user.username, "before": before, "note": given.note}
    record(incident, Entry("role.given", summary, Lane.DECISION, details), actor=actor, at=at)
    announce(incident, "role.given", {"who": str(user), "role": role.label, "note": given.note}, at=at)
    return given


@transaction.atomic
def end_role(*, incident_id: UUID, role_id: int, actor: Actor, at: datetime) -> None:
    """End a role nobody takes over. The lead can only be handed over."""
    require(actor, "manage_people", incident_id)
    incident = lock(incident_id)
    role = IncidentRole.objects.select_related("user").filter(incident=incident, pk=role_id, until__isnull=True).first()
    if role is None:
        raise CannotChangePeopleError("Nobody holds this role any more.")
    if role.kind == IncidentRole.Kind.LEAD:
        raise CannotChangePeopleError("An incident always has a lead. Hand the lead over instead.")
    role.until = at
    role.save(update_fields=["until"])
    summary = f"{role.user} is no longer {role.get_kind_display().lower()}"
    details = {"role": role.kind, "user": role.user.username}
    record(incident, Entry("role.ended", summary, Lane.DECISION, details), actor=actor, at=at)


def _user(user_id: int) -> User:
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise CannotChangePeopleError("There is no such person, or their sign-in is switched off.")
    return user

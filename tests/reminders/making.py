"""Chains and due things at moments of the test's choice, and what the clock makes of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from runbooks.access.models import Role, User
from runbooks.contacts.models import ContactPreferences, Rota, RotaShift
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Escalation, EscalationPolicy, Notification
from runbooks.notifications.operations import announce
from runbooks.reminders.operations.moving import chains_due, move_chain
from runbooks.reminders.operations.nudging import incidents_to_nudge, nudge
from runbooks.reminders.operations.reminding import incidents_to_remind, remind
from tests.factories import make_entry, make_incident

AT = datetime(2026, 6, 23, 3, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PAUSED = {"number": 3, "why": "5 of the first 20 failed."}


def make_room(lead: User | None = None, *members: User, **changes: Any) -> Incident:
    """Declared at AT, with an entry."""
    incident = make_incident(lead=lead, members=members, declared_at=changes.pop("declared_at", AT), **changes)
    make_entry(incident, at=incident.declared_at)
    incident.refresh_from_db()
    return incident


def make_policy(*steps: tuple[str, int], event: str = "action.paused", **changes: Any) -> EscalationPolicy:
    version = EscalationPolicy.objects.filter(event=event).count() + 1
    kept = [{"to": to, "wait": wait} for to, wait in steps]
    fields = {"version": version, "repeats": 0, "edited_by": "A test", "edited_at": AT, **changes}
    return EscalationPolicy.objects.create(event=event, steps=kept, **fields)


def start(incident: Incident, to: list[User], *, at: datetime = AT, about: str = "action:1") -> Escalation:
    """A chain of a stop of an action, begun by its announcement to these."""
    with transaction.atomic():
        announce(incident, "action.paused", PAUSED, at=at, to=to, about=about)
    return Escalation.objects.get(incident=incident, event="action.paused", about=about, status="running")


def move_all(at: datetime) -> int:
    """As the sweep does; how many chains moved."""
    return sum(move_chain(chain_id=one, incident_id=room, at=at) is not None for one, room in chains_due(at))


def remind_all(at: datetime) -> int:
    return sum(remind(incident_id=one, at=at) for one in incidents_to_remind(at))


def nudge_all(at: datetime) -> int:
    return sum(nudge(incident_id=one, at=at) for one in incidents_to_nudge(at))


def told(event: str = "", **of: Any) -> list[str]:
    """Names of those for whom there are notices, in the order in which they were written."""
    rows = Notification.objects.filter(**of)
    rows = rows.filter(event=event) if event else rows
    return list(rows.order_by("created_at", "recipient__name").values_list("recipient__name", flat=True))


def put_on_call(user: User, *, begins: datetime = AT - HOUR, hours: int = 12, rota: Rota | None = None) -> Rota:
    rota = rota or Rota.objects.create(name=f"Night {user.pk}", made_by="A test", made_at=begins)
    ends = begins + hours * HOUR
    RotaShift.objects.create(rota=rota, user=user, starts_at=begins, ends_at=ends, added_by="A test", added_at=begins)
    return rota


def want_quiet(user: User, begins: str, ends: str) -> None:
    ContactPreferences.objects.create(user=user, quiet_from=begins, quiet_until=ends)


COORDINATOR = f"role:{Role.COORDINATOR}"

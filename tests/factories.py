"""Ready things for tests. What has rules is made through the operations; the rest straight into the tables."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.db import transaction
from django.utils import timezone

from runbooks.access.models import Membership, Role, User
from runbooks.access.permissions import COMMAND_LINE, Actor
from runbooks.actions.models import Action, ActionAccount, ActionExclusion
from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.containment.models import Step
from runbooks.directory.models import Account
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.incidents.operations import next_reference
from runbooks.timeline.operations import Entry, record

PASSWORD = "correct horse battery staple"
numbers = count(1)


def make_user(role: Role = Role.COORDINATOR, **changes: Any) -> User:
    number = next(numbers)
    fields = {
        "username": f"{role}-{number}",
        "name": f"{role.label} {number}",
        "email": f"{role}-{number}@responders.example",
        "role": role,
        **changes,
    }
    user = User(**fields)
    user.set_password(PASSWORD)
    user.save()
    return user


def add_member(incident: Incident, user: User) -> Membership:
    return Membership.objects.create(incident=incident, user=user, added_by="a test", added_at=incident.declared_at)


@transaction.atomic
def make_incident(*, lead: User | None = None, members: tuple[User, ...] = (), **changes: Any) -> Incident:
    """An open incident without steps, with entry #1; its lead and members are in it."""
    lead = lead or make_user()
    at: datetime = changes.pop("declared_at", None) or timezone.now() - timedelta(hours=2)
    number, reference = next_reference(at.year)
    fields = {
        "reference": reference,
        "year": at.year,
        "number": number,
        "title": "Password guessing on staff mail",
        "severity": 1,
        "detected_at": at - timedelta(minutes=16),
        "detected_by": "Gateway alarm",
        "declared_at": at,
        "lead": lead,
        "runbook_slug": "compromised-accounts",
        "runbook_title": "Compromised accounts",
        "runbook_version": "1",
        "runbook_digest": "0" * 64,
        **changes,
    }
    incident = Incident.objects.create(**fields)
    for user in (lead, *members):
        add_member(incident, user)
    IncidentRole.objects.create(incident=incident, kind=IncidentRole.Kind.LEAD, user=lead, since=at)
    return incident


def make_account(**changes: Any) -> Account:
    number = next(numbers)
    now = timezone.now()
    fields = {
        "login": f"person{number}@parliament.example",
        "mail": f"person{number}@parliament.example",
        "display_name": f"Family{number}, Given",
        "family_name": f"Family{number}",
        "given_name": "Given",
        "department": "Library",
        "mobile": f"+44770090{number % 10000:04d}",
        "first_seen_at": now,
        "last_seen_at": now,
        **changes,
    }
    return Account.objects.create(**fields)


def make_affected(incident: Incident, account: Account | None = None, **changes: Any) -> AffectedAccount:
    """A row of the incident in any state, whatever led there."""
    account = account or make_account()
    fields = {
        "login": account.login,
        "display_name": account.display_name,
        "department": account.department,
        "state": State.SUSPECTED,
        "added_at": incident.declared_at,
        "changed_at": incident.declared_at,
        **changes,
    }
    return AffectedAccount.objects.create(incident=incident, account=account, **fields)


def make_step(incident: Incident, **changes: Any) -> Step:
    number = next(numbers)
    fields = {
        "key": f"step-{number}",
        "position": number,
        "number": f"1.{number}",
        "phase": "triage",
        "phase_title": "Triage",
        "title": f"Step {number}",
        "role": "lead",
        **changes,
    }
    return Step.objects.create(incident=incident, **fields)


def make_action(incident: Incident, *affected: AffectedAccount, **changes: Any) -> Action:
    """A draft that was previewed, for these accounts; one more account is left alone."""
    at = timezone.now()
    fields = {
        "number": next(numbers),
        "kind": Action.Kind.LOCK_ACCOUNT,
        "connection": "people",
        "reason": "They got in",
        "batch_size": 100,
        "stop_after_failures": 5,
        "needs_approval": True,
        "drafted_by": "A test",
        "drafted_at": at,
        "previewed_at": at,
        **changes,
    }
    action = Action.objects.create(incident=incident, **fields)
    for position, one in enumerate(affected, start=1):
        account = one.account
        ActionAccount.objects.create(
            action=action, account=account, affected_account=one, login=account.login, mail=account.mail,
            position=position,
        )  # fmt: skip
    left = make_account()
    ActionExclusion.objects.create(
        action=action, account=left, login=left.login, kind=ActionExclusion.Kind.DUTY, reason="On duty",
        added_by="A test", added_at=at,
    )  # fmt: skip
    return action


@transaction.atomic
def make_entry(
    incident: Incident, summary: str = "Something happened", *, actor: Actor = COMMAND_LINE, **changes: Any
) -> Any:
    """An entry of the timeline, sealed like every other."""
    at = changes.pop("at", None) or timezone.now()
    incident = Incident.objects.select_for_update().get(pk=incident.pk)
    return record(incident, Entry(changes.pop("kind", "entry.added"), summary, **changes), actor=actor, at=at)

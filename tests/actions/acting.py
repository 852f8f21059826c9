"""Doing what pages and workers do to actions, one call a thing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from runbooks.access.confirming import Confirmation
from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionAccount, ActionDecision
from runbooks.actions.operations import Choice, Draft, decide, draft_action, request_approval
from runbooks.actions.operations.previewing import preview
from runbooks.actions.operations.running import run
from runbooks.actions.operations.verifying import verify
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.incidents.models import Incident

LOCK, RESTRICT = Action.Kind.LOCK_ACCOUNT, Action.Kind.RESTRICT_REMOTE_ACCESS


class Clock:
    """A clock that tests move. Waiting moves it, too."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return timezone.now() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


def confirmed(user: User, at: datetime | None = None) -> Confirmation:
    return Confirmation(user.pk, "password", at or timezone.now())


def drafted(
    incident: Incident, by: User, kind: str = LOCK, accounts: Sequence[AffectedAccount] = (), **changes: Any
) -> Action:
    """A draft whose preview was read."""
    fields: dict[str, Any] = {
        "kind": kind,
        "connection": "directory",
        "reason": "They got in",
        "affected_ids": [account.pk for account in accounts],
        **changes,
    }
    action = draft_action(incident_id=incident.pk, draft=Draft(**fields), actor=actor_for(by), at=timezone.now())
    return previewed(action)


def previewed(action: Action) -> Action:
    preview(action_id=action.pk, clock=timezone.now)
    action.refresh_from_db()
    return action


def requested(action: Action, by: User) -> Action:
    request_approval(action_id=action.pk, actor=actor_for(by), at=timezone.now())
    action.refresh_from_db()
    return action


def approved(action: Action, by: User) -> Action:
    choice = Choice(
        ActionDecision.Kind.APPROVED, action.digest, ActionAccount.objects.filter(action=action).count(), True
    )
    decide(action_id=action.pk, choice=choice, confirmed=confirmed(by), actor=actor_for(by), at=timezone.now())
    action.refresh_from_db()
    return action


def carried_out(action: Action, clock: Clock | None = None) -> Action:
    """Run, and read back as soon as the system can tell."""
    clock = clock or Clock()
    run(action_id=action.pk, clock=clock, patience=clock.sleep)
    clock.sleep(10)
    verify(action_id=action.pk, clock=clock)
    action.refresh_from_db()
    return action


def done(action: Action, asker: User, approver: User) -> Action:
    return carried_out(approved(requested(action, asker), approver))


def statuses(action: Action) -> dict[str, int]:
    rows = ActionAccount.objects.filter(action=action).values_list("status", flat=True)
    return {status: list(rows).count(status) for status in set(rows)}

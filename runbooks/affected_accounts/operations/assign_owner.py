"""Who in the room works on an account next."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.models import User
from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.affected_accounts.operations.selection import (
    NOTHING,
    CannotChangeAccountsError,
    Outcome,
    lock_accounts,
    record_each,
    save_all,
)
from runbooks.incidents.operations import lock_running
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry


@transaction.atomic
def assign_owner(
    *,
    incident_id: UUID,
    account_ids: Collection[int],
    owner_id: int | None,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> Outcome:
    """Give the accounts to a member of the incident; None takes them from whoever has them."""
    require(actor, "assign_account", incident_id)
    incident = lock_running(incident_id)
    rows = lock_accounts(incident, account_ids, version=version)
    owner = _member(incident_id, owner_id) if owner_id is not None else None
    changed = [row for row in rows if row.owner_id != owner_id]
    there = len(rows) - len(changed)
    if not changed:
        return Outcome(0, there, (), NOTHING)
    save_all(changed, at, owner=owner)
    names = dict(User.objects.filter(pk__in={row.owner_id for row in changed}).values_list("pk", "name"))
    entries = [_entry(row, owner, names.get(row.owner_id or 0, "")) for row in changed]
    said = _said(plural(len(changed), "account") if len(changed) > 1 else changed[0].login, owner)
    record_each(incident, entries, summary=said, actor=actor, at=at)
    return Outcome(len(changed), there, (), said)


def _member(incident_id: UUID, user_id: int) -> User:
    found = User.objects.filter(
        pk=user_id, is_active=True, memberships__incident_id=incident_id, memberships__ended_at__isnull=True
    ).first()
    if found is None:
        raise CannotChangeAccountsError("This person is not in the incident. Ask a coordinator to add them first.")
    return found


def _entry(row: AffectedAccount, owner: User | None, before: str) -> Entry:
    details = {"account": row.login, "owner": owner.username if owner else None, "owner_before": before or None}
    return Entry("account.owner_assigned", _said(row.login, owner), Lane.ACTION, details, account_ids=[row.pk])


def _said(what: str, owner: User | None) -> str:
    return f"{what} assigned to {owner}" if owner else f"{what} assigned to nobody"

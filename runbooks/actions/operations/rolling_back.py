"""The way back: an action of its own that puts back what each account had before, previewed and approved like any."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor
from runbooks.actions.connecting import connection_of
from runbooks.actions.models import Action, ActionAccount, ActionExclusion
from runbooks.actions.operations.drafting import BadActionError, new_action
from runbooks.actions.operations.locking import lock_action, only_while
from runbooks.actions.operations.resolving import Left, Target, left_alone
from runbooks.actions.queries.stages import gates_of, leads_back
from runbooks.actions.queries.superseded import on_the_way_back, overtaken
from runbooks.connectors.base import Action as Verb
from runbooks.connectors.base import Capabilities

Status, RowStatus = Action.Status, ActionAccount.Status
TO_UNDO = (RowStatus.DONE, RowStatus.ALREADY, RowStatus.UNKNOWN)


class CannotUndoError(BadActionError):
    """The connection has no way back from this action."""

    status = 409


def draft_rollback(
    *, action_id: UUID, reason: str, row_ids: Collection[int] | None = None, actor: Actor, at: datetime
) -> Action:
    """A draft that undoes an action, for all of its accounts or for some rows of its ledger."""
    kind, capabilities = undoing(action_id)
    return _draft(
        action_id=action_id, kind=kind, most=capabilities.batch_size, reason=reason, row_ids=row_ids, actor=actor, at=at
    )


def undoing(action_id: UUID) -> tuple[str, Capabilities]:
    """The kind that undoes it, and what the connection can do; asked before the transaction."""
    action = Action.objects.select_related("incident").filter(pk=action_id).first()
    if action is None:
        # The operation refuses it, as it refuses what somebody may not see.
        return "", Capabilities(frozenset(), frozenset(), 0, 1, 1, (), {})
    with connection_of(action) as connector:
        capabilities = connector.capabilities
    undoing = capabilities.undone_by.get(Verb(action.kind))
    return (undoing.value if undoing else ""), capabilities


@transaction.atomic
def _draft(
    *, action_id: UUID, kind: str, most: int, reason: str, row_ids: Collection[int] | None, actor: Actor, at: datetime
) -> Action:
    incident, first = lock_action(action_id, actor, "request_action")
    only_while(first, Status.PAUSED, Status.DONE, Status.DONE_WITH_FAILURES, Status.CANCELLED)
    if not kind:
        raise CannotUndoError(
            f"{first.connection} cannot undo this: {first.get_kind_display().lower()} has no way back."
        )
    if not reason.strip():
        raise BadActionError("Say why it is rolled back: the second person decides on it.")
    targets, left = way_back(first, row_ids)
    known = {one.account_id for one in left}
    # Undoing an unlocking takes access away, like any lock.
    protected = [*left_alone(incident, kind, targets), *_held_back(first, kind, targets)]
    left += [one for one in protected if one.account_id not in known]
    if not targets:
        raise CannotUndoError("There is nothing to put back: no account was changed, or all were put back already.")
    return new_action(incident, undoing_action(first, kind, reason, most), targets, left, actor=actor, at=at)


def _held_back(first: Action, kind: str, targets: Sequence[Target]) -> list[Left]:
    """Coming back from a lock-down in one go goes through the same gate as coming back by stages."""
    gates = gates_of(first.incident_id) if leads_back(kind, first) else {}
    return [
        Left(target.account_id, target.login, ActionExclusion.Kind.GATE, gates[target.account_id])
        for target in targets
        if target.account_id in gates
    ]


def undoing_action(first: Action, kind: str, reason: str, most: int) -> Action:
    return Action(
        kind=kind,
        connection=first.connection,
        scope=Action.Scope.SELECTION,
        undoes=first,
        step=first.step,
        reason=reason.strip(),
        batch_size=min(first.batch_size, most),
        stop_after_failures=first.stop_after_failures,
        needs_approval=True,
    )


def way_back(first: Action, row_ids: Collection[int] | None = None) -> tuple[list[Target], list[Left]]:
    """The accounts to put back, in the order they were changed, and those a later action has changed since.

    Who was renamed is found by the new name. A login that is somebody else's by now is left alone.
    Who is in a later way back of the same action that is not over is not offered twice.
    """
    rows = (
        ActionAccount.objects.filter(action=first, status__in=TO_UNDO, undone_at__isnull=True, before__isnull=False)
        .select_related("account")
        .order_by("position")
    )
    if row_ids is not None:
        rows = rows.filter(pk__in=row_ids)
    changed_later, on_the_way = overtaken(first), on_the_way_back(first)
    targets, left = [], []
    for row in rows:
        if row.account_id in on_the_way:
            continue
        now = row.account
        targets.append(
            Target(row.account_id, now.login, now.external_id, now.mail, row.affected_account_id, row.position)
        )
        why = _why_not(row, is_changed_later=row.account_id in changed_later)
        if why:
            left.append(Left(row.account_id, now.login, ActionExclusion.Kind.LATER, why))
    return targets, left


def _why_not(row: ActionAccount, *, is_changed_later: bool) -> str:
    if row.external_id and row.account.external_id and row.external_id != row.account.external_id:
        return "The directory says that it is another person's account since: look it up before anything is put back"
    if is_changed_later:
        return "A later action changed it: roll that back first, or take it in knowingly"
    return ""

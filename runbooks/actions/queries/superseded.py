"""Which accounts of a ledger a later action has overtaken, or is about to put back.

The later actions are few and are asked for first. Comparing nine thousand rows with nine thousand is left to no plan: a
ledger that was written a moment ago has no statistics yet.
"""

from uuid import UUID

from django.db.models import Q

from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.verbs import MEANINGS

Status = Action.Status
OF_EFFECT = (ActionAccount.Status.DONE, ActionAccount.Status.ALREADY, ActionAccount.Status.UNKNOWN)
NOT_OVER = (Status.DRAFT, Status.AWAITING_APPROVAL, Status.APPROVED, Status.RUNNING, Status.PAUSED)


def overtaken(action: Action) -> set[int]:
    """Accounts on which a later action changed the same fact, undone or not. Two queries, mostly one."""
    fact = MEANINGS[action.kind].fact
    family = [kind for kind, said in MEANINGS.items() if said.fact == fact and fact is not None]
    later = Action.objects.filter(kind__in=family, started_at__gt=action.started_at).exclude(pk=action.pk)
    return _accounts_of(list(later.values_list("pk", flat=True)), Q(status__in=OF_EFFECT))


def on_the_way_back(action: Action) -> set[int]:
    """Accounts in an undoing of the action that is not over."""
    undoing = Action.objects.filter(undoes=action, status__in=NOT_OVER)
    return _accounts_of(list(undoing.values_list("pk", flat=True)), Q())


def _accounts_of(action_ids: list[UUID], which: Q) -> set[int]:
    if not action_ids:
        return set()
    rows = ActionAccount.objects.filter(which, action_id__in=action_ids)
    return set(rows.values_list("account_id", flat=True))

"""Which accounts of a ledger a later action has overtaken, or is about to put back.

The later actions are few and are asked for first. Comparing nine thousand rows with nine thousand is left to no plan: a
ledger that was written a moment ago has no statistics yet.
"""

from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.verbs import MEANINGS
from runbooks.incidents.models import Incident

Status = Action.Status
OF_EFFECT = (ActionAccount.Status.DONE, ActionAccount.Status.ALREADY, ActionAccount.Status.UNKNOWN)
NOT_OVER = (Status.DRAFT, Status.AWAITING_APPROVAL, Status.APPROVED, Status.RUNNING, Status.PAUSED)


def overtaken(action: Action) -> set[int]:
    """Accounts on which a later action changed the same fact, undone or not. Two queries, mostly one.

    What happens in an exercise happens in a world of its own: it overtakes nothing in another incident.
    """
    if action.started_at is None:
        return set()
    fact = MEANINGS[action.kind].fact
    family = [kind for kind, said in MEANINGS.items() if said.fact == fact and fact is not None]
    is_real = Q(incident__is_exercise=False) & ~Exists(Incident.objects.filter(pk=action.incident_id, is_exercise=True))
    later = Action.objects.filter(
        Q(incident=action.incident_id) | is_real, kind__in=family, started_at__gt=action.started_at
    ).exclude(pk=action.pk)
    return _accounts_of(list(later.values_list("pk", flat=True)), Q(status__in=OF_EFFECT))


def on_the_way_back(action: Action) -> set[int]:
    """Accounts in an undoing of the action that is not over."""
    undoing = Action.objects.filter(undoes=action, status__in=NOT_OVER)
    return _accounts_of(list(undoing.values_list("pk", flat=True)), Q())


def not_to_be_put_back(undoing: Action) -> list[str]:
    """Logins on the list of an undoing that was not begun which others put back, or changed again, since it was made.

    Who was taken in knowingly is not among them. Three queries, mostly.
    """
    if undoing.undoes is None:
        return []
    taken_in = undoing.exclusions.filter(taken_in_at__isnull=False).values("account_id")
    rows = ActionAccount.objects.filter(action=undoing).exclude(account__in=taken_in).order_by("position")
    put_back = ActionAccount.objects.filter(action=undoing.undoes, undone_at__isnull=False)
    gone = overtaken(undoing.undoes) | set(put_back.values_list("account_id", flat=True))
    return [login for account_id, login in rows.values_list("account_id", "login") if account_id in gone]


def same_world(prefix: str = "action__") -> Q:
    """Rows of the outer row's incident, or of any real one where that is real."""
    incident, is_exercise = f"{prefix}incident", f"{prefix}incident__is_exercise"
    return Q(**{incident: OuterRef(incident)}) | Q(**{is_exercise: False}) & Q(**{is_exercise: OuterRef(is_exercise)})


def _accounts_of(action_ids: list[UUID], which: Q) -> set[int]:
    if not action_ids:
        return set()
    rows = ActionAccount.objects.filter(which, action_id__in=action_ids)
    return set(rows.values_list("account_id", flat=True))

"""Which rows of a ledger a later action has overtaken."""

from django.db.models import Exists, OuterRef, Q

from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.verbs import MEANINGS

OF_EFFECT = (ActionAccount.Status.DONE, ActionAccount.Status.ALREADY, ActionAccount.Status.UNKNOWN)


def not_superseded(action: Action) -> Q:
    """Rows on whose account no later action changed the same fact, undone or not."""
    fact = MEANINGS[action.kind].fact
    family = [kind for kind, said in MEANINGS.items() if said.fact == fact and fact is not None]
    later = ActionAccount.objects.filter(
        account=OuterRef("account"),
        action__kind__in=family,
        action__started_at__gt=action.started_at,
        status__in=OF_EFFECT,
    ).exclude(action=action)
    return ~Q(Exists(later))

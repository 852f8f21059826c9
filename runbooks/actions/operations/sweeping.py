"""What the clock does: whatever a lost wake-up left, what is due to be read back, and requests nobody decided on."""

from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations.deciding import expire
from runbooks.actions.operations.finishing import OVER
from runbooks.background import wake
from runbooks.incidents.models import Incident

Status, RowStatus = Action.Status, ActionAccount.Status
ROWS = 100


def sweep(*, at: datetime) -> None:
    """Wake a worker for each. One that is worked on already is left alone by its lock.

    What no worker may or can go on with is passed over: it would be in the way of the others for ever.
    """
    due, is_over = Q(not_before__isnull=True) | Q(not_before__lte=at), Q(incident__status__in=Incident.OVER)
    _wake("actions.run", due & (Q(status=Status.APPROVED) & ~is_over | Q(status=Status.RUNNING) & ~_with_people()))
    _wake("actions.preview", Q(status=Status.DRAFT, previewed_at__isnull=True) & ~is_over)
    _wake("actions.verify", Q(status__in=OVER, verify_at__lte=at) & ~is_over)
    late = Action.objects.filter(status=Status.AWAITING_APPROVAL, expires_at__lte=at)
    for action_id in late.values_list("pk", flat=True)[:ROWS]:
        expire(action_id=action_id, at=at)


def _with_people() -> Q:
    """Everything left waits for an answer of people, or of a system that calls back."""
    rows = ActionAccount.objects.filter(action=OuterRef("pk"))
    to_send = rows.filter(status__in=[RowStatus.WAITING, RowStatus.SENDING])
    return Exists(rows.filter(status=RowStatus.PENDING)) & ~Exists(to_send)


def _wake(task: str, which: Q) -> None:
    for action_id in Action.objects.filter(which).order_by("drafted_at").values_list("pk", flat=True)[:ROWS]:
        wake(task, action_id=str(action_id))

"""What the clock does: whatever a lost wake-up left, what is due to be read back, and requests nobody decided on."""

from datetime import datetime

from django.db.models import Q

from runbooks.actions.models import Action
from runbooks.actions.operations.deciding import expire
from runbooks.background import wake

Status = Action.Status
ROWS = 100


def sweep(*, at: datetime) -> None:
    """Wake a worker for each. One that is worked on already is left alone by its lock."""
    due = Q(not_before__isnull=True) | Q(not_before__lte=at)
    _wake("actions.run", due & Q(status__in=[Status.APPROVED, Status.RUNNING]))
    _wake("actions.preview", Q(status=Status.DRAFT, previewed_at__isnull=True))
    _wake("actions.verify", Q(verify_at__lte=at))
    late = Action.objects.filter(status=Status.AWAITING_APPROVAL, expires_at__lte=at)
    for action_id in late.values_list("pk", flat=True)[:ROWS]:
        expire(action_id=action_id, at=at)


def _wake(task: str, which: Q) -> None:
    for action_id in Action.objects.filter(which).order_by("drafted_at").values_list("pk", flat=True)[:ROWS]:
        wake(task, action_id=str(action_id))

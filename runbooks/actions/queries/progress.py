"""How far actions are, counted from their ledger rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Q

from runbooks.actions.models import Action, ActionAccount

Status, Verdict = ActionAccount.Status, ActionAccount.Verdict
DIFFERS = Q(verdict=Verdict.DIFFERS, undone_at__isnull=True)
AMISS = Q(status__in=[Status.FAILED, Status.UNKNOWN]) | DIFFERS
RATE_OVER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """Accounts of an action by status, and how the last read-back found those that it changed.

    `recent` were answered in the last minute, by whoever; `undoable` have a before-value to go back to; `amiss` failed,
    are not known, or differ.
    """

    waiting: int = 0
    sending: int = 0
    done: int = 0
    already: int = 0
    pending: int = 0
    failed: int = 0
    unknown: int = 0
    skipped: int = 0
    holds: int = 0
    differs: int = 0
    unreadable: int = 0
    undone: int = 0
    undoable: int = 0
    amiss: int = 0
    recent: int = 0

    @property
    def total(self) -> int:
        """All but those that were left out when the rest was cancelled."""
        return self.good + self.bad + self.open

    @property
    def good(self) -> int:
        return self.done + self.already

    @property
    def bad(self) -> int:
        return self.failed + self.unknown

    @property
    def to_send(self) -> int:
        return self.waiting + self.sending

    @property
    def open(self) -> int:
        return self.to_send + self.pending

    @property
    def in_hand(self) -> int:
        """What a person has to settle."""
        return self.pending + self.unknown

    @property
    def read(self) -> int:
        return self.holds + self.differs + self.unreadable

    def rate(self, action: Action, now: datetime) -> float:
        """Accounts a second over the last minute, or since the start where that is less; 0 where nothing came."""
        since = RATE_OVER if action.started_at is None else min(RATE_OVER, now - action.started_at)
        return self.recent / max(since.total_seconds(), 1)

    def time_left(self, action: Action, now: datetime) -> timedelta | None:
        """At the rate of the last minute; None where none can be told."""
        rate = self.rate(action, now)
        if not rate or not self.to_send or action.status != Action.Status.RUNNING:
            return None
        return timedelta(seconds=self.to_send / rate)


COUNTED = {
    **{str(status): Q(status=status) for status in Status},
    "holds": Q(verdict=Verdict.HOLDS),
    "differs": DIFFERS,
    "unreadable": Q(verdict=Verdict.UNREADABLE),
    "undone": Q(undone_at__isnull=False),
    "undoable": Q(
        status__in=[Status.DONE, Status.ALREADY, Status.UNKNOWN], undone_at__isnull=True, before__isnull=False
    ),
    "amiss": AMISS,
}


def progress_of(action: Action, now: datetime) -> Progress:
    """One query."""
    return progress_of_many([action.pk], now).get(action.pk, Progress())


def progress_of_many(action_ids: Iterable[UUID], now: datetime) -> dict[UUID, Progress]:
    """One query, whatever the number of actions and accounts. An action without accounts is not among them."""
    counted: dict[str, Count] = {
        **{f"n_{name}": Count("id", filter=which) for name, which in COUNTED.items()},
        "n_recent": Count("id", filter=Q(answered_at__gt=now - RATE_OVER)),
    }
    rows = ActionAccount.objects.filter(action__in=list(action_ids)).order_by().values("action_id").annotate(**counted)
    found = rows.values_list("action_id", *counted)
    return {action_id: Progress(**dict(zip([*COUNTED, "recent"], counts, strict=True))) for action_id, *counts in found}

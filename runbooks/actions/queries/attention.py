"""What of an incident's actions needs somebody: requests, stops, failures, what differs, what is with people."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Case, Count, Exists, OuterRef, Q, Subquery, When

from runbooks.access.permissions import Actor, can
from runbooks.actions.models import Action, ActionAccount, ActionDecision
from runbooks.actions.queries.listing import title_of
from runbooks.actions.queries.superseded import OF_EFFECT, same_world
from runbooks.actions.verbs import MEANINGS

Status, RowStatus = Action.Status, ActionAccount.Status
CURRENT: Final = (
    Status.AWAITING_APPROVAL,
    Status.APPROVED,
    Status.RUNNING,
    Status.PAUSED,
    Status.DONE,
    Status.DONE_WITH_FAILURES,
    Status.CANCELLED,
)
TROUBLED: Final = (RowStatus.FAILED, RowStatus.UNKNOWN, RowStatus.PENDING)
# Kinds that change the same fact.
FAMILIES: Final = [
    [kind for kind, said in MEANINGS.items() if said.fact == fact]
    for fact in dict.fromkeys(said.fact for said in MEANINGS.values() if said.fact is not None)
]


@dataclass(frozen=True, slots=True)
class Attention:
    """One action, and how many of its accounts are in which trouble."""

    number: int
    kind: str
    title: str
    is_undoing: bool
    status: str
    authors: frozenset[int]
    asked_by: str
    expires_at: datetime | None
    paused_because: str
    total: int
    failed: int
    unknown: int
    pending: int
    differs: int
    is_unreviewed: bool

    def is_by(self, actor: Actor) -> bool:
        """Whether the actor drafted, changed, asked for or began it."""
        return actor.user_id is None or actor.user_id in self.authors

    def waits_for(self, actor: Actor) -> bool:
        """Whether it is a request that this person may decide on."""
        return self.status == Status.AWAITING_APPROVAL and can(actor, "approve_action") and not self.is_by(actor)


def attention(incident_id: UUID) -> list[Attention]:
    """Actions that need somebody, newest first. Two queries, whatever the number of actions and accounts."""
    reviewed = ActionDecision.objects.filter(action=OuterRef("pk"), kind=ActionDecision.Kind.REVIEWED)
    accounts = ActionAccount.objects.filter(action=OuterRef("pk")).values("action").annotate(n=Count("id")).values("n")
    asked_for = Case(When(status=Status.AWAITING_APPROVAL, then=Subquery(accounts)), default=0)
    actions = (
        Action.objects.filter(Q(status__in=CURRENT) | Q(is_break_glass=True), incident_id=incident_id)
        .select_related("undoes", "requested_by")
        .annotate(n_total=asked_for, is_reviewed=Exists(reviewed))
        .order_by("-number")
    )
    found = list(actions)
    troubles = _troubles(action.pk for action in found) if found else {}
    lines = [_attention(action, troubles.get(action.pk, {})) for action in found]
    return [line for line in lines if _needs_somebody(line)]


def _attention(action: Action, rows: dict[str, int]) -> Attention:
    worked_out = vars(action)
    return Attention(
        number=action.number,
        kind=action.undoes.kind if action.undoes else action.kind,
        title=title_of(action),
        is_undoing=action.undoes is not None,
        status=action.status,
        authors=frozenset({*action.authors, *([action.requested_by_id] if action.requested_by_id else [])}),
        asked_by=str(action.requested_by or action.drafted_by),
        expires_at=action.expires_at,
        paused_because=action.paused_because,
        total=worked_out["n_total"] or 0,
        failed=rows.get("failed", 0),
        unknown=rows.get("unknown", 0),
        pending=rows.get("pending", 0),
        differs=rows.get("differs", 0),
        is_unreviewed=action.is_break_glass and action.started_at is not None and not worked_out["is_reviewed"],
    )


def _needs_somebody(line: Attention) -> bool:
    return bool(
        line.status in {Status.AWAITING_APPROVAL, Status.PAUSED}
        or line.is_unreviewed
        or line.failed
        or line.unknown
        or line.pending
        or line.differs
    )


def _troubles(action_ids: Iterable[UUID]) -> dict[UUID, dict[str, int]]:
    """{action: {status or "differs": accounts}}; found by the indexes of statuses and of what differs."""
    differs = Q(verdict=ActionAccount.Verdict.DIFFERS, undone_at__isnull=True)
    rows = (
        ActionAccount.objects.filter(Q(status__in=TROUBLED) | differs, action__in=list(action_ids))
        .order_by()
        .values("action_id", "status")
        .annotate(n=Count("id"), n_differs=Count("id", filter=differs & _not_overtaken()))
        .values_list("action_id", "status", "n", "n_differs")
    )
    found: dict[UUID, dict[str, int]] = {}
    for action_id, status, count, differing in rows:
        of_action = found.setdefault(action_id, {})
        of_action[status] = count
        of_action["differs"] = of_action.get("differs", 0) + differing
    return found


def _not_overtaken() -> Q:
    """Rows on whose account no later action changed the same fact: what differs there is that one's to say."""
    current = Q()
    for family in FAMILIES:
        later = ActionAccount.objects.filter(
            same_world(),
            account=OuterRef("account"),
            action__kind__in=family,
            action__started_at__gt=OuterRef("action__started_at"),
            status__in=OF_EFFECT,
        )
        current |= Q(action__kind__in=family) & ~Q(Exists(later))
    return current

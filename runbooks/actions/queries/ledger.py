"""The ledger of one action, page by page in the order in which it was carried out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet

from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.queries.progress import AMISS, DIFFERS

Status = ActionAccount.Status
PAGE: Final = 100
# What the ledger is narrowed to, by the name in its address.
SHOWN: Final[Mapping[str, tuple[str, Q]]] = {
    "all": ("All", Q()),
    "amiss": ("Not as asked", AMISS),
    "failed": ("Failed", Q(status=Status.FAILED)),
    "unknown": ("Not known", Q(status=Status.UNKNOWN)),
    "pending": ("With people", Q(status=Status.PENDING)),
    "waiting": ("Waiting", Q(status__in=[Status.WAITING, Status.SENDING])),
    "differs": ("Differs", DIFFERS),
    "done": ("Done", Q(status__in=[Status.DONE, Status.ALREADY])),
    "skipped": ("Left out", Q(status=Status.SKIPPED)),
}
IN_HAND: Final = Q(status__in=[Status.PENDING, Status.UNKNOWN])
COLUMNS: Final = (
    "id",
    "position",
    "login",
    "account__display_name",
    "affected_account_id",
    "status",
    "before_facts",
    "message",
    "answered_by",
    "sent_at",
    "answered_at",
    "retry_at",
    "verdict",
    "read_back",
    "read_back_at",
    "undone_at",
    "undone_by__number",
)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One account of an action. Facts are {Fact: true, false, an instant as ISO 8601, or null}, or None unread."""

    id: int
    position: int
    login: str
    holder: str
    affected_id: int | None
    status: str
    before: dict[str, Any] | None
    message: str
    answered_by: str
    sent_at: datetime | None
    answered_at: datetime | None
    retry_at: datetime | None
    verdict: str
    read_back: dict[str, Any] | None
    read_back_at: datetime | None
    undone_at: datetime | None
    undone_by: int | None


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """At most 100 rows. `after` is the position that the next page begins behind; 0 where there is none."""

    rows: list[LedgerRow]
    after: int


def ledger_page(action_id: UUID, show: str = "all", *, after: int = 0, sought: str = "") -> LedgerPage:
    """Narrowed to those whose login or holder has `sought` in it. One query."""
    rows = _rows(action_id).filter(SHOWN[show][1], position__gt=after)
    if sought:
        rows = rows.filter(Q(login__icontains=sought) | Q(account__display_name__icontains=sought))
    found = [LedgerRow(*row) for row in rows.values_list(*COLUMNS)[: PAGE + 1]]
    return LedgerPage(found[:PAGE], found[PAGE - 1].position if len(found) > PAGE else 0)


def work_list(action_id: UUID, *, most: int) -> list[LedgerRow]:
    """What people have in hand, in order; at most so many. One query."""
    return [LedgerRow(*row) for row in _rows(action_id).filter(IN_HAND).values_list(*COLUMNS)[:most]]


def whole_ledger(action_id: UUID) -> list[LedgerRow]:
    return [LedgerRow(*row) for row in _rows(action_id).values_list(*COLUMNS)]


def row_ids_in_hand(action_id: UUID) -> list[int]:
    """Every row that a person may settle."""
    return list(ActionAccount.objects.filter(IN_HAND, action=action_id).values_list("pk", flat=True))


def before_of_first(action: Action, rows: list[LedgerRow]) -> dict[str, dict[str, Any]]:
    """What an undoing goes back to, by login. One query, and none for other actions."""
    if action.undoes_id is None:
        return {}
    logins = [row.login for row in rows]
    first = ActionAccount.objects.filter(action_id=action.undoes_id, login__in=logins, before_facts__isnull=False)
    return {login: facts or {} for login, facts in first.values_list("login", "before_facts")}


def _rows(action_id: UUID) -> QuerySet[ActionAccount]:
    return ActionAccount.objects.filter(action=action_id).order_by("position")

"""The table of accounts: what it is narrowed to, in which order, page by page."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from runbooks.access.http import whole_number
from runbooks.affected_accounts.models import AffectedAccount, FactKind, State, Tier
from runbooks.affected_accounts.queries.counts import NEVER_TRIED, READY, state_counts, unresolved_count
from runbooks.affected_accounts.transitions import BACK_IN_USE, COMPROMISED_STATES, GROUPS, Group, fact_column
from runbooks.incidents.models import Incident
from runbooks.incidents.snapshot import at_head

PAGE: Final = 50
COMPROMISED: Final = "compromised"
# The six marks, and the four of them together that are compromised.
GROUPINGS: Final[Mapping[str, tuple[State, ...]]] = {
    **{str(group): tuple(state for state in State if GROUPS[state] == group) for group in Group},
    COMPROMISED: COMPROMISED_STATES,
}
CONTACTS: Final[Mapping[str, tuple[str, Q]]] = {
    "never": ("Not contacted", NEVER_TRIED),
    "no_answer": (
        "Tried, not reached",
        Q(state__in=COMPROMISED_STATES, contact_attempts__gt=0, holder_reached_at__isnull=True),
    ),
    "reached": ("Reached", Q(holder_reached_at__isnull=False)),
}
SORTS: Final[Mapping[str, tuple[str, ...]]] = {
    "work": ("rank", "id"),
    "login": ("login", "id"),
    "changed": ("-changed_at", "-id"),
}
NOBODY: Final = "nobody"


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """What the table is narrowed to; an empty text does not narrow.

    `group` is one of the six marks or "compromised"; `ready` the state whose guard is met; `owner` a user's id or
    "nobody"; `differs` "1" for accounts of which a read-back found something undone.
    """

    q: str = ""
    group: str = ""
    state: str = ""
    ready: str = ""
    missing: str = ""
    contact: str = ""
    owner: str = ""
    tier: str = ""
    differs: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "AccountFilter":
        """From a query string; what is not a choice is dropped, so that an old link still shows something."""
        allowed: Mapping[str, Any] = {
            "group": GROUPINGS,
            "ready": READY,
            "state": State.values,
            "missing": FactKind.values,
            "contact": CONTACTS,
            "tier": Tier.values,
            "differs": ("1",),
        }
        chosen = {field.name: given.get(field.name, "").strip() for field in fields(cls)}
        kept = {name: value for name, value in chosen.items() if name not in allowed or value in allowed[name]}
        if kept["owner"] != NOBODY and whole_number(kept["owner"]) is None:
            kept["owner"] = ""
        kept["q"] = kept["q"].replace("\0", "")[:200]
        return cls(**kept)

    def parameters(self) -> dict[str, str]:
        """For links and hidden fields: only what narrows."""
        return {name: value for name, value in asdict(self).items() if value}

    @property
    def narrows(self) -> bool:
        return bool(self.parameters())


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One line of the table, as the database has it. `facts` are in the order of FactKind."""

    id: int
    login: str
    display_name: str
    department: str
    is_privileged: bool
    tier: str
    state: State
    owner_id: int | None
    changed_at: datetime
    facts: tuple[datetime | None, ...]
    contact_at: datetime | None
    contact_channel: str
    contact_outcome: str
    contact_attempts: int
    differs: tuple[str, ...]
    """FactKinds, or "remote_access", that a read-back found to hold no longer."""


@dataclass(frozen=True, slots=True)
class AccountPage:
    """At most 50 rows. `after` and `before` are cursors of the pages beside it, empty where there is none."""

    rows: list[AccountRow]
    after: str
    before: str


@dataclass(frozen=True, slots=True)
class FilterCounts:
    """Rows of a filter, for how many each fact holds, and how many differ from what an action achieved."""

    total: int
    facts: Mapping[FactKind, int]
    differs: int


_COLUMNS: Final = (
    "id",
    "login",
    "display_name",
    "department",
    "is_privileged",
    "tier",
    "state",
    "owner_id",
    "changed_at",
    "rank",
    "last_contact_at",
    "last_contact_channel",
    "last_contact_outcome",
    "contact_attempts",
    "differs",
    *(fact_column(kind) for kind in FactKind),
)


def narrowed(incident_id: UUID, wanted: AccountFilter) -> QuerySet[AffectedAccount]:
    """The incident's accounts that a filter lets through, in no order."""
    accounts = AffectedAccount.objects.filter(incident_id=incident_id)
    for word in wanted.q.split():
        accounts = accounts.filter(
            Q(login__icontains=word) | Q(display_name__icontains=word) | Q(department__icontains=word)
        )
    if wanted.group:
        accounts = accounts.filter(state__in=GROUPINGS[wanted.group])
    if wanted.ready:
        accounts = accounts.filter(READY[State(wanted.ready)])
    if wanted.state:
        accounts = accounts.filter(state=wanted.state)
    if wanted.tier:
        accounts = accounts.filter(tier=wanted.tier)
    if wanted.missing:
        accounts = accounts.filter(_misses(FactKind(wanted.missing)))
    if wanted.contact:
        accounts = accounts.filter(CONTACTS[wanted.contact][1])
    if wanted.differs:
        accounts = accounts.exclude(differs=[])
    if wanted.owner == NOBODY:
        return accounts.filter(owner__isnull=True)
    return accounts.filter(owner_id=int(wanted.owner)) if wanted.owner else accounts


def _misses(kind: FactKind) -> Q:
    """Where the check is still to be done. Accounts that were given back had their sign-in disabled once."""
    need_none = [state for state in State if GROUPS[state] == Group.CLEARED]
    done = [*need_none, *BACK_IN_USE] if kind == FactKind.SIGN_IN_DISABLED else need_none
    return Q(**{f"{fact_column(kind)}__isnull": True}) & ~Q(state__in=done)


def account_page(
    incident_id: UUID, wanted: AccountFilter, *, sort: str = "work", after: str = "", before: str = ""
) -> AccountPage:
    """One page. Cursors that are not ours are passed over. One query, whatever the number of rows."""
    order = SORTS.get(sort, SORTS["work"])
    accounts = narrowed(incident_id, wanted)
    ahead, back = _read_cursor(after, order), _read_cursor(before, order)
    if back is not None:
        found = _fetch(accounts.filter(_beyond(order, back, backwards=True)), _turned(order))
        more, found = len(found) > PAGE, found[PAGE - 1 :: -1] if len(found) > PAGE else found[::-1]
        return _page(found, order, has_after=True, has_before=more)
    if ahead is not None:
        accounts = accounts.filter(_beyond(order, ahead, backwards=False))
    found = _fetch(accounts, order)
    return _page(found[:PAGE], order, has_after=len(found) > PAGE, has_before=ahead is not None)


def filter_counts(incident_id: UUID, wanted: AccountFilter) -> FilterCounts:
    """One query."""
    found = (
        narrowed(incident_id, wanted)
        .order_by()
        .aggregate(
            total=Count("id"),
            n_differs=Count("id", filter=~Q(differs=[])),
            **{str(kind): Count(fact_column(kind)) for kind in FactKind},
        )
    )
    return FilterCounts(found["total"], {kind: found[str(kind)] for kind in FactKind}, found["n_differs"])


@dataclass(frozen=True, slots=True)
class Table:
    """All that the page of accounts takes from the incident's rows."""

    page: AccountPage
    matched: FilterCounts
    states: Mapping[State, int]
    unresolved: int


def table(incident: Incident, wanted: AccountFilter, *, sort: str = "work", after: str = "", before: str = "") -> Table:
    """Four queries, or none while nothing in the incident changes: many people look at the same page."""

    def read(incident_id: UUID) -> Table:
        return Table(
            account_page(incident_id, wanted, sort=sort, after=after, before=before),
            filter_counts(incident_id, wanted),
            state_counts(incident_id),
            unresolved_count(incident_id),
        )

    asked = hashlib.sha256(repr((wanted, sort, after, before)).encode()).hexdigest()
    return at_head(incident, f"accounts-table:{asked}", read)


def selected_ids(incident_id: UUID, wanted: AccountFilter) -> list[int]:
    """Every account of a filter, not only of a page."""
    return list(narrowed(incident_id, wanted).order_by("id").values_list("id", flat=True))


def _fetch(accounts: QuerySet[AffectedAccount], order: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = accounts.order_by(*order).values_list(*_COLUMNS)[: PAGE + 1]
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]


def _page(found: list[dict[str, Any]], order: tuple[str, ...], *, has_after: bool, has_before: bool) -> AccountPage:
    return AccountPage(
        rows=[_row(values) for values in found],
        after=_cursor(found[-1], order) if found and has_after else "",
        before=_cursor(found[0], order) if found and has_before else "",
    )


def _row(values: dict[str, Any]) -> AccountRow:
    return AccountRow(
        id=values["id"],
        login=values["login"],
        display_name=values["display_name"],
        department=values["department"],
        is_privileged=values["is_privileged"],
        tier=values["tier"],
        state=State(values["state"]),
        owner_id=values["owner_id"],
        changed_at=values["changed_at"],
        facts=tuple(values[fact_column(kind)] for kind in FactKind),
        contact_at=values["last_contact_at"],
        contact_channel=values["last_contact_channel"],
        contact_outcome=values["last_contact_outcome"],
        contact_attempts=values["contact_attempts"],
        differs=tuple(values["differs"]),
    )


# A cursor is the place of a row in the order: its sort value and its id.


def _cursor(values: dict[str, Any], order: tuple[str, ...]) -> str:
    value = values[order[0].lstrip("-")]
    text = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([text, values["id"]]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, order: tuple[str, ...]) -> tuple[Any, int] | None:
    readers: Mapping[str, Any] = {"rank": int, "login": _plain, "changed_at": datetime.fromisoformat}
    try:
        value, pk = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return readers[order[0].lstrip("-")](value), int(pk)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        return None


def _plain(value: object) -> str:
    """Text as a login can be. Raises ValueError for what the database would not take."""
    text = str(value)
    if "\0" in text:
        raise ValueError("a login holds no NUL")
    return text.encode().decode()


def _beyond(order: tuple[str, ...], place: tuple[Any, int], *, backwards: bool) -> Q:
    """What comes after the place in this order, or before it. The first condition lets the index find it."""
    name = order[0].lstrip("-")
    side = "lt" if order[0].startswith("-") != backwards else "gt"
    value, pk = place
    return Q(**{f"{name}__{side}e": value}) & (Q(**{f"{name}__{side}": value}) | Q(**{f"id__{side}": pk}))


def _turned(order: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name[1:] if name.startswith("-") else f"-{name}" for name in order)

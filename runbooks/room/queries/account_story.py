"""Everything that happened to one account of an incident, from every slice, in one order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from runbooks.access.http import whole_numbers
from runbooks.actions.models import ActionAccount, ActionExclusion
from runbooks.affected_accounts.models import AccountFact, AffectedAccount, ContactAttempt, StateChange
from runbooks.timeline.models import TimelineEvent

PAGE: Final = 25
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Entries that say again what a row of the story says with more: the row is shown, the entry stays in the timeline.
SAID_BY_ROWS: Final = (
    "account.state_changed",
    "account.fact_recorded",
    "account.contact_logged",
    "action.account_changed",
    "action.account_asked",
    "action.account_failed",
    "action.account_unknown",
)
Thing = AccountFact | ContactAttempt | StateChange | ActionAccount | ActionExclusion | TimelineEvent


class Place(NamedTuple):
    """Where a thing stands in the story: by its moment, then by the kind of thing, then by its number."""

    at: datetime
    rank: int
    pk: int

    def __str__(self) -> str:
        return f"{(self.at - EPOCH) // timedelta(microseconds=1)}-{self.rank}-{self.pk}"

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """None for what is no place: the story then begins at its newest."""
        parts = text.split("-")
        numbers = whole_numbers(parts)
        if not len(parts) == len(numbers) == 3:
            return None
        try:
            return cls(EPOCH + timedelta(microseconds=numbers[0]), numbers[1], numbers[2])
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class Story:
    """At most 25 things, newest first. `older` is the place to go on before, empty at the end.

    `corrected` is {sequence of an entry: sequence of the entry that corrects it}.
    """

    things: Sequence[tuple[Place, Thing]]
    older: str
    corrected: dict[int, int]


def account_story(account: AffectedAccount, *, before: Place | None = None) -> Story:
    """Seven queries, however much happened."""
    found: list[tuple[Place, Thing]] = []
    for rank, (column, rows) in enumerate(_sources(account)):
        for thing in _page(rows, column, rank, before):
            found.append((Place(getattr(thing, column), rank, thing.pk), thing))
    found.sort(key=lambda one: one[0], reverse=True)
    shown = found[:PAGE]
    sequences = [thing.sequence for _, thing in shown if isinstance(thing, TimelineEvent)]
    later = TimelineEvent.objects.filter(incident_id=account.incident_id, corrects__in=sequences)
    corrected = dict(later.order_by("sequence").values_list("corrects", "sequence"))
    older = str(shown[-1][0]) if len(found) > PAGE else ""
    return Story(shown, older, {before: after for before, after in corrected.items() if before is not None})


def _sources(account: AffectedAccount) -> list[tuple[str, QuerySet[Any]]]:
    """Of each kind of thing: the name of its moment, and its rows."""
    ledger = ActionAccount.objects.filter(account=account.account_id, action__incident=account.incident_id)
    entries = TimelineEvent.objects.filter(incident=account.incident_id, account_ids__contains=[account.pk])
    left_alone = ActionExclusion.objects.filter(account=account.account_id, action__incident=account.incident_id)
    return [
        ("occurred_at", entries.exclude(kind__in=SAID_BY_ROWS).defer("details", "salt", "search")),
        ("at", AccountFact.objects.filter(affected_account=account)),
        ("at", StateChange.objects.filter(affected_account=account)),
        ("at", ContactAttempt.objects.filter(affected_account=account)),
        ("added_at", left_alone.select_related("action")),
        ("began_at", _with_moment(ledger)),
    ]


def _with_moment(ledger: QuerySet[ActionAccount]) -> QuerySet[ActionAccount]:
    """When it was sent, or asked for where it was not, or drafted."""
    began = Coalesce("sent_at", "action__requested_at", "action__drafted_at")
    people = ("action__requested_by", "action__approved_by")
    return ledger.annotate(began_at=began).select_related("action", "action__undoes", *people, "undone_by")


def _page(rows: QuerySet[Any], column: str, rank: int, before: Place | None) -> QuerySet[Any]:
    if before is not None:
        same = Q(**{column: before.at})
        if rank == before.rank:
            same &= Q(pk__lt=before.pk)
        behind = Q(**{f"{column}__lt": before.at})
        rows = rows.filter(behind | same if rank <= before.rank else behind)
    return rows.order_by(f"-{column}", "-pk")[: PAGE + 1]

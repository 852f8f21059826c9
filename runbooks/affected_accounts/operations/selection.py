"""What all operations on accounts share: they take many at once, and say what became of each."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from runbooks.access.permissions import Actor
from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.errors import DomainError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import StaleFormError
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record_many

NAMED_AT_MOST = 5
NOTHING = "Nothing was changed: it stood like this already."


class CannotChangeAccountsError(DomainError):
    """None of the chosen accounts could be changed as asked."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Accounts that one reason kept as they were, by login."""

    reason: str
    logins: tuple[str, ...]

    def __str__(self) -> str:
        named = ", ".join(self.logins[:NAMED_AT_MOST])
        more = len(self.logins) - NAMED_AT_MOST
        named += f" and {more:,} more" if more > 0 else ""
        return f"{plural(len(self.logins), 'account')} left as before ({named}): {self.reason}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`changed` and `unchanged` count rows; `said` is the sentence that the timeline keeps."""

    changed: int
    unchanged: int
    refused: tuple[Refusal, ...]
    said: str


class Refusals:
    """Collects why accounts stay as they are."""

    def __init__(self) -> None:
        self._by_reason: dict[str, list[str]] = {}

    def add(self, account: AffectedAccount, reason: str) -> None:
        self._by_reason.setdefault(reason, []).append(account.login)

    def all(self) -> tuple[Refusal, ...]:
        return tuple(Refusal(reason, tuple(logins)) for reason, logins in self._by_reason.items())

    def raise_unless(self, well: int) -> None:
        """Where not one account could be changed or stood as asked already, the refusal is the answer."""
        if self._by_reason and not well:
            raise CannotChangeAccountsError(" ".join(_alone(refusal) for refusal in self.all()))


def _alone(refusal: Refusal) -> str:
    """For one account the reason is enough; for several it names them."""
    return refusal.reason if len(refusal.logins) == 1 else str(refusal)


def lock_accounts(
    incident: Incident, account_ids: Collection[int], *, version: int | None = None
) -> list[AffectedAccount]:
    """The chosen rows, locked, in a fixed order. The incident is locked already.

    `version`: of the one row that a form was made from. Raises NotFoundError, StaleFormError.
    """
    wanted = set(account_ids)
    if not wanted:
        raise CannotChangeAccountsError("No accounts are chosen. Tick some first.")
    rows = list(AffectedAccount.objects.select_for_update().filter(incident=incident, pk__in=wanted).order_by("pk"))
    if len(rows) != len(wanted):
        raise NotFoundError(f"{plural(len(wanted) - len(rows), 'chosen account')} cannot be found in this incident.")
    if version is not None and len(rows) == 1 and rows[0].version != version:
        raise StaleFormError(
            f"Somebody else changed {rows[0].login} since you opened this page. "
            "Look at what stands now, then do it again.",
            {"State": State(rows[0].state).label, "Tier": rows[0].tier or "none", "Changed": rows[0].changed_at},
        )
    return rows


def save_all(rows: Iterable[AffectedAccount], at: datetime, **values: object) -> None:
    """One UPDATE: the same new values in all of these rows."""
    AffectedAccount.objects.filter(pk__in=[row.pk for row in rows]).update(
        **values, version=F("version") + 1, changed_at=at
    )


def record_each(
    incident: Incident,
    entries: Sequence[Entry],
    *,
    summary: str,
    actor: Actor,
    at: datetime,
    refused: Sequence[Refusal] = (),
) -> None:
    """One entry an account. Several are a burst under a summary, which the timeline shows as one line.

    Every entry is of one kind and lane, so the summary is too.
    """
    if len(entries) == 1:
        record_many(incident, entries, actor=actor, at=at)
        return
    first = entries[0]
    details = {
        "accounts": len(entries),
        "left_as_before": [{"reason": refusal.reason, "accounts": len(refusal.logins)} for refusal in refused],
    }
    head = Entry(first.kind, summary, Lane(first.lane), details, occurred_at=first.occurred_at)
    record_many(incident, [head, *entries], actor=actor, at=at)

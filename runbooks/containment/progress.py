"""How far the steps for each account are: counted from the accounts' own facts, whenever somebody looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Q

from runbooks.affected_accounts.models import AffectedAccount, FactKind
from runbooks.affected_accounts.transitions import BACK_IN_USE, COMPROMISED_STATES, fact_column


@dataclass(frozen=True, slots=True)
class Progress:
    """Accounts. `done` is None where no fact tells: then only the accounts concerned are known."""

    done: int | None
    total: int

    @property
    def left(self) -> int:
        return 0 if self.done is None else self.total - self.done


@dataclass(frozen=True, slots=True)
class AccountCounts:
    """The compromised accounts by tier, and for how many of them each fact holds."""

    totals: Mapping[str, int]
    facts: Mapping[tuple[str, str], int]
    """(tier, fact): accounts"""

    def progress(self, fact: str, tiers: Sequence[str]) -> Progress:
        """Progress of one step; without tiers, every compromised account counts."""
        wanted = [tier for tier in self.totals if not tiers or tier in tiers]
        total = sum(self.totals[tier] for tier in wanted)
        return Progress(sum(self.facts[tier, fact] for tier in wanted) if fact else None, total)


def account_counts(incident_id: UUID) -> AccountCounts:
    """One query over the incident's compromised accounts, for all facts and tiers at once.

    Nothing has to be done for an account that was only aimed at, is not judged yet, or turned out not to be affected.
    """
    kinds = FactKind.values
    rows = (
        AffectedAccount.objects.filter(incident_id=incident_id, state__in=COMPROMISED_STATES)
        .order_by()
        .values_list("tier")
        .annotate(Count("pk"), **{f"with_{kind}": _counted(kind) for kind in kinds})
    )
    totals: dict[str, int] = {}
    facts: dict[tuple[str, str], int] = {}
    for tier, accounts, *found in rows:
        totals[tier] = accounts
        facts |= {(tier, kind): number for kind, number in zip(kinds, found, strict=True)}
    return AccountCounts(totals, facts)


def _counted(kind: str) -> Count:
    """An account counts while the fact holds. Restoring one ends "sign-in disabled", and does not undo the work."""
    holds = Q(**{f"{fact_column(kind)}__isnull": False})
    return Count("pk", filter=holds | Q(state__in=BACK_IN_USE) if kind == FactKind.SIGN_IN_DISABLED else holds)

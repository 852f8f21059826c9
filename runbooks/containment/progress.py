"""How far the steps for each account are: counted from the accounts' own facts, whenever somebody looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from runbooks.affected_accounts.models import FactKind
from runbooks.affected_accounts.transitions import BACK_IN_USE, COMPROMISED_STATES

# Facts in the order of FactKind. An account counts while the fact holds; restoring one ends "sign-in disabled", and
# does not undo the work. In SQL because every view of the steps asks it, and building it anew costs more than it does.
COUNTED = """
SELECT tier, count(*),
    count(*) FILTER (WHERE sign_in_disabled_at IS NOT NULL OR state = ANY (%s)),
    count(sessions_revoked_at), count(password_changed_at), count(rules_checked_at), count(holder_reached_at),
    count(holder_confirmed_at), count(data_loss_assessed_at), count(mfa_bound_at)
FROM runbooks_affectedaccount
WHERE incident_id = %s AND state = ANY (%s)
GROUP BY tier
"""


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
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, [list(BACK_IN_USE), incident_id, list(COMPROMISED_STATES)])
        rows = cursor.fetchall()
    totals: dict[str, int] = {}
    facts: dict[tuple[str, str], int] = {}
    for tier, accounts, *found in rows:
        totals[tier] = accounts
        facts |= {(tier, kind): number for kind, number in zip(FactKind.values, found, strict=True)}
    return AccountCounts(totals, facts)

"""Thousands of accounts at once, straight into the tables."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from runbooks.affected_accounts.models import AffectedAccount, State, Tier
from runbooks.affected_accounts.transitions import RANKS, fact_column
from runbooks.directory.models import Account
from runbooks.incidents.models import Incident


def directory_of(size: int, stem: str = "many") -> list[Account]:
    now = timezone.now()
    return Account.objects.bulk_create(
        [
            Account(
                login=f"{stem}-{number:05d}@parliament.example",
                mail=f"{stem}-{number:05d}@parliament.example",
                display_name=f"Family{number:05d}, Given",
                department="Library",
                first_seen_at=now,
                last_seen_at=now,
            )
            for number in range(size)
        ],
        batch_size=2000,
    )


def affected_of(incident: Incident, size: int, **changes: Any) -> list[AffectedAccount]:
    """Rows of one state, whatever led there; compromised ones have tier A."""
    at: datetime = changes.pop("at", incident.declared_at)
    state = State(changes.pop("state", State.SUSPECTED))
    stem = changes.pop("stem", f"many-{state.value}")
    tier = Tier.A if state == State.COMPROMISED else ""
    return AffectedAccount.objects.bulk_create(
        [
            AffectedAccount(
                incident=incident,
                account=account,
                login=account.login,
                display_name=account.display_name,
                department=account.department,
                added_at=at,
                changed_at=at,
                **{"state": state, "rank": RANKS[state], "tier": tier, **changes},
            )
            for account in directory_of(size, stem)
        ],
        batch_size=2000,
    )


def holding(*kinds: str, at: datetime) -> dict[str, datetime]:
    """Facts that hold since a moment, as columns of a row."""
    return {fact_column(kind): at for kind in kinds}

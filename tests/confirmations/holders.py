"""Holders for tests, and what is on file about them."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from runbooks.affected_accounts.models import AffectedAccount, State, Tier
from runbooks.confirmations.models import Code, Confirmation
from runbooks.incidents.models import Incident
from tests.factories import make_account, make_affected


def make_holder(incident: Incident, *, on_file: dict[str, Any] | None = None, **changes: Any) -> AffectedAccount:
    """A contained account whose holder has a mobile and an office, both old."""
    fields: dict[str, Any] = {"office": "Room 412", "mobile": "07700 900123", **(on_file or {})}
    state = {"state": State.CONTAINED, "tier": Tier.B, "contained_at": incident.declared_at, **changes}
    return make_affected(incident, make_account(**fields), **state)


def answered(row: AffectedAccount, said: str, truth: str, at: datetime | None = None) -> Confirmation:
    """What the holder answered; an hour ago where nothing else is said."""
    at = at or timezone.now() - timedelta(hours=1)
    code = Code.objects.create(
        incident=row.incident, affected_account=row, digest=f"{Code.objects.count():064}", channel="letter",
        issued_at=at, expires_at=at + timedelta(days=14), used_at=at,
    )  # fmt: skip
    return Confirmation.objects.create(
        incident=row.incident, affected_account=row, code=code, receipt=f"R-{code.pk}", answer=said, language="en-gb",
        answered_at=at, truth=truth, checked_at=at,
    )  # fmt: skip


def days_ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)

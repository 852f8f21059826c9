"""Whoever says “not me, or not sure” takes back what was said before in their name, perhaps by somebody else."""

from datetime import datetime
from typing import Final

from runbooks.access.permissions import PORTAL
from runbooks.affected_accounts.models import AffectedAccount, FactKind, State
from runbooks.affected_accounts.operations import change_state
from runbooks.affected_accounts.operations.record_fact import Finding, record_fact
from runbooks.confirmations.models import Confirmation
from runbooks.incidents.models import Incident

Truth = Confirmation.Truth
# Back along the way, to where the holder was reached and nothing is confirmed. What is restored a coordinator reopens.
BACK: Final = ((State.CLEARED, State.HOLDER_CONFIRMED), (State.HOLDER_CONFIRMED, State.HOLDER_REACHED))


def take_back(incident: Incident, row: AffectedAccount, source: str, at: datetime) -> None:
    """Claims that wait for the directory, the fact that the holder confirmed, and the state that came of it.

    The incident is locked; its head moves.
    """
    waiting = Confirmation.objects.filter(affected_account=row, truth=Truth.PENDING)
    waiting.update(truth=Truth.NOT_ASKED, check_at=None)
    reason = f"The holder says it was not them, or is not sure. {source}"
    if row.holder_confirmed_at is not None:
        finding = Finding(FactKind.HOLDER_CONFIRMED, at, reason[:200], holds=False)
        record_fact(incident_id=incident.pk, account_ids=[row.pk], finding=finding, actor=PORTAL, at=at)
    state = row.state
    for before, after in BACK:
        if state == before:
            change_state(incident_id=incident.pk, account_ids=[row.pk], after=after, reason=reason, actor=PORTAL, at=at)
            state = after

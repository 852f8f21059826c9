"""Settling a line of a list that named nobody, or could name several."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import AffectedAccount, UnresolvedLine
from runbooks.affected_accounts.operations.add_accounts import insert_accounts
from runbooks.affected_accounts.queries.lists import unresolved_line
from runbooks.errors import DomainError
from runbooks.incidents.operations import lock_running
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record


class CannotSettleError(DomainError):
    """The line is settled already, or nothing says why it is nobody."""

    status = 400


@transaction.atomic
def settle_line(
    *, incident_id: UUID, line_id: int, account_id: int | None, reason: str = "", actor: Actor, at: datetime
) -> UnresolvedLine:
    """Say which account the line means, which adds it to the incident, or, with a reason, that it means nobody."""
    require(actor, "import_affected", incident_id)
    incident = lock_running(incident_id)
    line = unresolved_line(incident_id, line_id)
    if line.settled_at is not None:
        raise CannotSettleError(f"{line.settled_by} settled this line already.")
    reason = reason.strip()
    if account_id is None and not reason:
        raise CannotSettleError("Say why this line means nobody, or choose the account it means.")
    if account_id is not None:
        insert_accounts(incident, [account_id], tier="", source=f"the line “{line.text}”", actor=actor, at=at)
        line.settled_as = AffectedAccount.objects.get(incident=incident, account_id=account_id)
    line.settled_reason, line.settled_by, line.settled_at = reason[:400], actor.name, at
    line.save(update_fields=["settled_as", "settled_reason", "settled_by", "settled_at"])
    means = f"means {line.settled_as.login}" if line.settled_as else "means nobody"
    because = f": {reason}" if reason else ""
    details = {"line": line.text, "account": line.settled_as.login if line.settled_as else None, "reason": reason}
    about = [line.settled_as.pk] if line.settled_as else []
    entry = Entry(
        "account.line_settled", f"The line “{line.text}” {means}{because}", Lane.DECISION, details, account_ids=about
    )
    record(incident, entry, actor=actor, at=at)
    return line

"""A code for one holder by a person: read out, handed over, or through a colleague who vouches."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from runbooks.access.confirming import Confirmation as Confirmed
from runbooks.access.models import User
from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt
from runbooks.affected_accounts.operations import Attempt, log_contact
from runbooks.confirmations.models import Code
from runbooks.confirmations.operations.issuing import CannotIssueError, Issued, Order, issue_codes
from runbooks.confirmations.operations.recognising import Check, NotRecognisedError, recognised
from runbooks.confirmations.queries.planning import DIRECTORY
from runbooks.errors import NotFoundError
from runbooks.incidents.operations import lock_running

Channel, Tried = Code.Channel, ContactAttempt.Channel
TRIED: Final = {
    Channel.READ_OUT: Tried.PHONE,
    Channel.IN_PERSON: Tried.IN_PERSON,
    Channel.COLLEAGUE: Tried.COLLEAGUE,
}
FACE_TO_FACE: Final = (Check.PASS, Check.VOUCHED)


@dataclass(frozen=True, slots=True)
class Giving:
    """By which channel, and how the holder was recognised; `colleague` where one of theirs takes it to them."""

    channel: str
    check: str = ""
    number: str = ""
    note: str = ""
    colleague: str = ""


@transaction.atomic
def give_code(
    *,
    incident_id: UUID,
    affected_id: int,
    giving: Giving,
    actor: Actor,
    at: datetime,
    seconded: tuple[User, Confirmed] | None = None,
) -> Issued:
    """The code in clear, this once. The contact is logged with how the holder was recognised.

    `seconded`: the second person of ours, for a code through a colleague. Raises CannotIssueError, NotRecognisedError.
    """
    require(actor, "issue_code", incident_id)
    lock_running(incident_id)
    row = AffectedAccount.objects.select_related("account").filter(incident=incident_id, pk=affected_id).first()
    if row is None:
        raise NotFoundError("There is no such account in this incident.")
    attempt = _attempt(giving, row, at)
    order = Order(row.pk, giving.channel, giving.number, DIRECTORY if giving.number else "", colleague=giving.colleague)
    issued = issue_codes(incident_id=incident_id, orders=[order], actor=actor, at=at, seconded=seconded)[0]
    log_contact(incident_id=incident_id, account_ids=[row.pk], attempt=attempt, actor=actor, at=at)
    return issued


def _attempt(giving: Giving, row: AffectedAccount, at: datetime) -> Attempt:
    if giving.channel not in TRIED:
        raise CannotIssueError("Choose whether it is read out, handed over, or goes through a colleague.")
    channel = TRIED[Channel(giving.channel)]
    source = DIRECTORY if giving.number else ""
    if giving.channel == Channel.COLLEAGUE:
        # The holder was not spoken with: only the code can say later that they were reached.
        note = f"A code, by {giving.colleague.strip()}"
        return Attempt(channel, ContactAttempt.Outcome.SENT, at, note=note)
    if giving.channel == Channel.IN_PERSON and giving.check not in FACE_TO_FACE:
        raise NotRecognisedError("In person the holder shows a pass, or a named colleague vouches.")
    if giving.number and giving.number not in {row.account.mobile, row.account.telephone}:
        raise NotRecognisedError("Call a number that is on file. Another one is somebody’s word, and proves nothing.")
    if giving.check == Check.CALLED_BACK and not giving.number:
        raise NotRecognisedError("Say which number on file was called.")
    identity = recognised(giving.check, giving.note, row.account, at)
    return Attempt(channel, ContactAttempt.Outcome.REACHED, at, giving.number, source, identity)

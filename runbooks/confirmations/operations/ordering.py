"""Asking for text messages with codes: what is asked for waits in rows without any code."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.affected_accounts.operations.selection import lock_accounts, record_each
from runbooks.background import wake
from runbooks.confirmations.letters.contents import Language
from runbooks.confirmations.models import TextOrder
from runbooks.confirmations.queries.planning import WITHOUT
from runbooks.errors import DomainError
from runbooks.incidents.operations import lock_running
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry


class CannotTextError(DomainError):
    """No text message can go there."""

    status = 400


@dataclass(frozen=True, slots=True)
class TextTo:
    """A holder, the number of theirs, where the number is from, and what the message is written in."""

    affected_id: int
    number: str
    source: str
    language: Language = "en-gb"


@transaction.atomic
def order_texts(*, incident_id: UUID, texts: Sequence[TextTo], actor: Actor, at: datetime) -> list[TextOrder]:
    """One order each; a worker makes the codes and sends them. Raises CannotTextError where one is under way."""
    require(actor, "issue_code", incident_id)
    incident = lock_running(incident_id)
    rows = {row.pk: row for row in lock_accounts(incident, [text.affected_id for text in texts])}
    under_way = TextOrder.objects.filter(affected_account__in=rows, status__in=TextOrder.OPEN)
    if waiting := list(under_way.values_list("affected_account__login", flat=True)[:5]):
        raise CannotTextError(f"A text message is on its way already to the holder of {', '.join(waiting)}.")
    for text in texts:
        _check(text, rows[text.affected_id])
    orders = TextOrder.objects.bulk_create(
        [
            TextOrder(
                incident=incident,
                affected_account=rows[text.affected_id],
                number=text.number.strip(),
                number_source=text.source.strip()[:120],
                language=text.language,
                orderer_id=actor.user_id,
                ordered_by=actor.name,
                ordered_at=at,
                next_attempt_at=at,
            )
            for text in texts
        ],
        batch_size=1000,
    )
    entries = [_entry(order, rows[order.affected_account_id]) for order in orders]
    summary = f"Text messages with codes asked for: {plural(len(orders), 'holder')}"
    record_each(incident, entries, summary=summary, actor=actor, at=at)
    wake("confirmations.send_texts")
    return orders


def _check(text: TextTo, row: AffectedAccount) -> None:
    if "@" in text.number:
        raise CannotTextError(f"{text.number} is a mailbox. A code never goes by mail.")
    if not text.number.strip():
        raise CannotTextError(f"There is no mobile number for {row.login}. Choose a letter or a person.")
    if row.state in WITHOUT:
        raise CannotTextError(f"{row.login} is “{State(row.state).label}”: nothing is asked of its holder.")


def _entry(order: TextOrder, row: AffectedAccount) -> Entry:
    details = {
        "account": row.login,
        "number": order.number,
        "number_source": order.number_source,
        "language": order.language,
    }
    return Entry(
        "text.ordered", f"Text message with a code asked for: holder of {row.login}", Lane.CONTACT, details,
        account_ids=[row.pk],
    )  # fmt: skip

"""Giving holders a code over a channel that is not their mailbox. It is told to the caller once, and kept nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.confirming import Confirmation as Confirmed
from runbooks.access.confirming import require_confirmed
from runbooks.access.models import User
from runbooks.access.permissions import Actor, actor_for, require
from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.affected_accounts.operations.selection import lock_accounts, record_each
from runbooks.confirmations.codes import CONFIRM_PASSWORD, LIFETIMES, digest_of, new_code
from runbooks.confirmations.models import Code
from runbooks.confirmations.queries.planning import WITHOUT
from runbooks.errors import DomainError, NotAllowedError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock_running
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry

Channel = Code.Channel


class CannotIssueError(DomainError):
    """A code cannot go this way, or not to this holder."""


@dataclass(frozen=True, slots=True)
class Order:
    """A code that is wanted. `address`: the number or office it goes to. `colleague`: who vouches and hands it over.

    `language`: what the letter or message is written in; empty where nothing is written.
    """

    affected_id: int
    channel: str
    address: str = ""
    address_source: str = ""
    colleague: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Issued:
    """The code in clear, for whoever asked for it, once."""

    code_id: int
    affected_id: int
    login: str
    code: str
    channel: str
    address: str
    expires_at: datetime


@transaction.atomic
def issue_codes(
    *,
    incident_id: UUID,
    orders: Sequence[Order],
    actor: Actor,
    at: datetime,
    seconded: tuple[User, Confirmed] | None = None,
) -> list[Issued]:
    """A new code for each; older ones of the same holder are superseded, and stay on record.

    `seconded`: the other person of ours who agrees to a colleague's vouching, with their own password.
    """
    require(actor, "issue_code", incident_id)
    incident = lock_running(incident_id)
    rows = {row.pk: row for row in lock_accounts(incident, [order.affected_id for order in orders])}
    second = _second(incident, orders, seconded, actor, at)
    for order in orders:
        _check(order, rows[order.affected_id])
    Code.objects.filter(
        affected_account__in=rows, purpose=CONFIRM_PASSWORD, used_at__isnull=True, superseded_at__isnull=True
    ).update(superseded_at=at)
    made = [_make(incident, order, rows[order.affected_id], second, actor, at) for order in orders]
    kept = Code.objects.bulk_create([code for code, _ in made], batch_size=1000)
    entries = [
        _entry(code, rows[code.affected_account_id], order.language) for code, order in zip(kept, orders, strict=True)
    ]
    record_each(incident, entries, summary=f"{len(kept)} codes issued", actor=actor, at=at)
    return [
        Issued(
            code.pk, code.affected_account_id, rows[code.affected_account_id].login, text, code.channel, code.address,
            code.expires_at,
        )
        for code, (_, text) in zip(kept, made, strict=True)
    ]  # fmt: skip


def _second(
    incident: Incident, orders: Sequence[Order], seconded: tuple[User, Confirmed] | None, actor: Actor, at: datetime
) -> int | None:
    """Through a colleague needs two of ours: whoever issues it, and another who proves it with their own password."""
    if all(order.channel != Channel.COLLEAGUE for order in orders):
        return None
    if actor.user_id is None:
        raise NotAllowedError("Only a person who is signed in may send a code through a colleague.")
    if seconded is None:
        raise CannotIssueError("A code through a colleague needs a second person of yours, with their own password.")
    user, confirmed = seconded
    other = actor_for(user)
    require(other, "issue_code", incident.pk)
    require_confirmed(confirmed, other, at)
    if user.pk == actor.user_id:
        raise CannotIssueError("The second person is somebody else than you.")
    return user.pk


def _check(order: Order, row: AffectedAccount) -> None:
    if order.channel not in Channel.values:
        raise CannotIssueError("Choose how the code reaches the holder. It is never sent to a mailbox.")
    if "@" in order.address:
        raise CannotIssueError(
            f"{order.address} is a mailbox. A code never goes by mail: use a telephone, a letter, or a person."
        )
    if row.state in WITHOUT:
        raise CannotIssueError(f"{row.login} is “{State(row.state).label}”: nothing is asked of its holder.")
    if order.channel == Channel.TEXT and not order.address.strip():
        raise CannotIssueError(f"There is no mobile number for {row.login}. Choose a letter or a person.")
    if order.channel == Channel.COLLEAGUE and not order.colleague.strip():
        raise CannotIssueError("Name the colleague who vouches for the holder.")


def _make(
    incident: Incident, order: Order, row: AffectedAccount, second: int | None, actor: Actor, at: datetime
) -> tuple[Code, str]:
    text = new_code()
    code = Code(
        incident=incident,
        affected_account=row,
        purpose=CONFIRM_PASSWORD,
        digest=digest_of(CONFIRM_PASSWORD, row.login, text),
        channel=order.channel,
        address=order.address.strip()[:200],
        address_source=order.address_source.strip()[:120],
        colleague=order.colleague.strip()[:160],
        issued_by=actor.name,
        issuer_id=actor.user_id,
        seconded_by_id=second if order.channel == Channel.COLLEAGUE else None,
        issued_at=at,
        expires_at=at + LIFETIMES[order.channel],
    )
    return code, text


def _entry(code: Code, row: AffectedAccount, language: str) -> Entry:
    """Never the code."""
    how = code.get_channel_display().lower()
    details = {
        "account": row.login,
        "channel": code.channel,
        "address": code.address,
        "address_source": code.address_source,
        "colleague": code.colleague,
        "expires_at": code.expires_at.isoformat(),
        **({"language": language} if language else {}),
    }
    return Entry("code.issued", f"Code for {row.login}: {how}", Lane.CONTACT, details, account_ids=[row.pk])

"""Tries to reach the holders of accounts, over any channel but the affected mailbox."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt, FactKind
from runbooks.affected_accounts.operations.record_fact import Finding, add_findings
from runbooks.affected_accounts.operations.selection import Outcome, lock_accounts, record_each, save_all
from runbooks.directory.models import Account
from runbooks.errors import DomainError
from runbooks.incidents.operations import lock_running
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry

BATCH = 2000
CLOCK_SKEW = timedelta(minutes=5)
REACHED = ContactAttempt.Outcome.REACHED


class BadContactError(DomainError):
    """The attempt cannot be logged as it is."""

    status = 400


class AffectedMailboxError(BadContactError):
    """Whoever broke in reads that mailbox: a holder is never reached through it."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. `address` is the number or address used, `address_source` where it came from, such as the HR file."""

    channel: ContactAttempt.Channel
    outcome: ContactAttempt.Outcome
    happened_at: datetime
    address: str = ""
    address_source: str = ""
    identity_check: str = ""
    note: str = ""


@transaction.atomic
def log_contact(
    *,
    incident_id: UUID,
    account_ids: Collection[int],
    attempt: Attempt,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> Outcome:
    """Log the attempt for every account. One that reached the holder also records the fact, with its source."""
    require(actor, "log_contact", incident_id)
    incident = lock_running(incident_id)
    rows = lock_accounts(incident, account_ids, version=version)
    _check(attempt, len(rows), at)
    _refuse_affected_mailbox(attempt, rows)
    _write(rows, attempt, actor, at)
    if attempt.outcome == REACHED:
        finding = Finding(FactKind.HOLDER_REACHED, attempt.happened_at, _source(attempt))
        add_findings(rows, finding, actor=actor, at=at)
    said = _said(rows, attempt)
    record_each(incident, [_entry(row, attempt) for row in rows], summary=said, actor=actor, at=at)
    return Outcome(len(rows), 0, (), said)


def _check(attempt: Attempt, accounts: int, at: datetime) -> None:
    if attempt.happened_at > at + CLOCK_SKEW:
        raise BadContactError("This lies in the future. Check the date and the time zone.")
    if attempt.outcome == REACHED and not attempt.identity_check.strip():
        raise BadContactError("Say how the holder was recognised: called back on the number of record, known by voice.")
    if accounts > 1 and attempt.address.strip():
        raise BadContactError("Leave the number or address empty for several accounts: every holder has their own.")


def _refuse_affected_mailbox(attempt: Attempt, rows: Sequence[AffectedAccount]) -> None:
    address = attempt.address.strip().casefold().removeprefix("mailto:").strip("<>")
    if "@" not in address:
        return
    own = Account.objects.filter(pk__in=[row.account_id for row in rows]).values_list("login", "mail")
    addresses = {name.casefold() for pair in own for name in pair if name}
    if address in addresses:
        raise AffectedMailboxError(
            "This is the affected mailbox: whoever broke in reads it. Use a telephone, a letter or a mailbox outside."
        )
    domain = address.rpartition("@")[2]
    if any(domain == name or domain.endswith(f".{name}") for name in settings.INSTITUTION_MAIL_DOMAINS):
        raise AffectedMailboxError(
            f"Mail at {domain} is inside the affected system. Use a telephone, a letter or a mailbox outside."
        )


def _write(rows: Sequence[AffectedAccount], attempt: Attempt, actor: Actor, at: datetime) -> None:
    ContactAttempt.objects.bulk_create(
        (
            ContactAttempt(
                affected_account=row,
                channel=attempt.channel,
                outcome=attempt.outcome,
                address=attempt.address.strip(),
                address_source=attempt.address_source.strip(),
                identity_check=attempt.identity_check.strip(),
                note=attempt.note.strip(),
                at=attempt.happened_at,
                made_by=actor.name,
                recorded_at=at,
            )
            for row in rows
        ),
        batch_size=BATCH,
    )
    newest = [row for row in rows if row.last_contact_at is None or row.last_contact_at <= attempt.happened_at]
    late = [row for row in rows if row.last_contact_at is not None and row.last_contact_at > attempt.happened_at]
    save_all(
        newest,
        at,
        contact_attempts=F("contact_attempts") + 1,
        last_contact_at=attempt.happened_at,
        last_contact_channel=attempt.channel,
        last_contact_outcome=attempt.outcome,
    )
    save_all(late, at, contact_attempts=F("contact_attempts") + 1)


def _source(attempt: Attempt) -> str:
    number = f" {attempt.address.strip()}" if attempt.address.strip() else ""
    origin = f" from {attempt.address_source.strip()}" if attempt.address_source.strip() else ""
    return f"{attempt.channel.label}{number}{origin}, recognised: {attempt.identity_check.strip()}"[:200]


def _entry(row: AffectedAccount, attempt: Attempt) -> Entry:
    details = {
        "account": row.login,
        "channel": attempt.channel.value,
        "outcome": attempt.outcome.value,
        "address": attempt.address.strip(),
        "address_source": attempt.address_source.strip(),
        "identity_check": attempt.identity_check.strip(),
        "note": attempt.note.strip(),
    }
    summary = _said([row], attempt)
    return Entry(
        "account.contact_logged",
        summary,
        Lane.CONTACT,
        details,
        occurred_at=attempt.happened_at,
        account_ids=[row.pk],
    )


def _said(rows: Sequence[AffectedAccount], attempt: Attempt) -> str:
    who = f"Holder of {rows[0].login}" if len(rows) == 1 else f"Holders of {plural(len(rows), 'account')}"
    note = f". {attempt.note.strip()}" if attempt.note.strip() else ""
    return f"{who}: {attempt.outcome.label.lower()} ({attempt.channel.label.lower()}){note}"

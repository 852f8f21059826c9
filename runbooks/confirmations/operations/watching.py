"""Holders who have said nothing: the directory may show a new password all the same, and that is shown too.

It may be the holder, who has lost the letter, or whoever broke in. So it moves no account on: somebody asks.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from runbooks.access.permissions import PORTAL
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.affected_accounts.operations.read_back import take_read_backs
from runbooks.confirmations.models import Confirmation, DirectoryWatch
from runbooks.confirmations.operations.confirming import asked_since
from runbooks.confirmations.operations.reading import (
    changed_at_of,
    note_trouble,
    password_back,
    read_directory,
    reading_connection,
)
from runbooks.confirmations.queries.calls import STILL_TO_REACH
from runbooks.connectors.base import AccountState, ConnectorError
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record_many

# Of one incident in one turn. A directory of a cloud answers twenty accounts a request, and others ask it too.
AT_ONCE: Final = 500


def watch_all(*, clock: Callable[[], datetime]) -> int:
    """A turn for each running incident; how many accounts were asked about. Outside a transaction."""
    running = Incident.objects.exclude(status__in=Incident.OVER).filter(affected_accounts__state__in=STILL_TO_REACH)
    return sum(
        watch(incident_id=incident_id, clock=clock)
        for incident_id in running.order_by("pk").values_list("pk", flat=True).distinct()
    )


def watch(*, incident_id: UUID, clock: Callable[[], datetime]) -> int:
    """Ask about the next accounts whose holders have said nothing, from where the last turn ended."""
    incident = Incident.objects.get(pk=incident_id)
    name = reading_connection(incident)
    kept, _ = DirectoryWatch.objects.get_or_create(incident=incident)
    rows = _next(incident, kept.after_id)
    if not name or not rows:
        return 0
    try:
        states = read_directory(incident, name, [row.account for row in rows])
    except (ConnectorError, DomainError) as error:
        note_trouble(incident, error)
        return 0
    _store(incident_id, rows, states, clock())
    return len(rows)


def _next(incident: Incident, after_id: int) -> list[AffectedAccount]:
    """The next in the order of their keys, from the beginning again at the end."""
    silent = _silent(incident).select_related("account").order_by("pk")
    return list(silent.filter(pk__gt=after_id)[:AT_ONCE]) or list(silent[:AT_ONCE] if after_id else ())


def _silent(incident: Incident) -> QuerySet[AffectedAccount]:
    """Who has to change the password, of whom neither a claim waits nor a new password is known."""
    claims = Confirmation.objects.filter(affected_account=OuterRef("pk"), truth=Confirmation.Truth.PENDING)
    is_old = Q(password_changed_at__isnull=True) | Q(password_changed_at__lt=F("contained_at"))
    silent = AffectedAccount.objects.filter(incident=incident, state__in=STILL_TO_REACH)
    # Until it is contained, a new password is the work of ours.
    return silent.filter(~Exists(claims), is_old, contained_at__isnull=False, holder_confirmed_at__isnull=True)


@transaction.atomic
def _store(incident_id: UUID, rows: Sequence[AffectedAccount], states: Sequence[AccountState], at: datetime) -> None:
    incident = lock(incident_id)
    DirectoryWatch.objects.filter(incident=incident).update(after_id=rows[-1].pk, looked_at=at, trouble="")
    if incident.is_over:
        return
    still = set(_silent(incident).filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
    changed = [
        (row, state, changed_at)
        for row, state in zip(rows, states, strict=True)
        if row.pk in still
        and (changed_at := changed_at_of(state)) is not None
        and changed_at >= asked_since(row, incident)
    ]
    take_read_backs(
        incident, [password_back(row, state, agrees=True) for row, state, _ in changed], actor=PORTAL, at=at
    )
    record_many(incident, [_entry(row, changed_at) for row, _, changed_at in changed], actor=PORTAL, at=at)


def _entry(row: AffectedAccount, changed_at: datetime) -> Entry:
    details = {"account": row.login, "password_changed_at": changed_at.isoformat()}
    said = f"The directory shows a new password of {row.login}, and its holder has said nothing"
    return Entry("password.seen", said, Lane.DETECTION, details, account_ids=[row.pk])

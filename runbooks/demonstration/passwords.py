"""New passwords in an exercise, where nobody has one to change: the simulated directory is told that somebody did."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Q

from runbooks.affected_accounts.models import AffectedAccount
from runbooks.confirmations.operations.reading import reading_connection
from runbooks.connectors import connection
from runbooks.connectors.base import AccountRef
from runbooks.connectors.simulated import Simulated
from runbooks.errors import DomainError, NotFoundError
from runbooks.incidents.models import Incident

REAL: Final = "Only in an exercise can a password be changed from here: in a real incident the holder does it."


class NoExerciseError(DomainError):
    """The account belongs to a real incident, or what answers for it is no simulated directory."""


def change_password(*, login: str, at: datetime) -> list[Incident]:
    """A new password since `at`, in every running exercise with this account; those. NoExerciseError, NotFoundError."""
    named = Q(login__iexact=login.strip()) | Q(account__mail__iexact=login.strip())
    running = ~Q(incident__status__in=Incident.OVER)
    rows = list(
        AffectedAccount.objects.filter(named, running).select_related("incident").order_by("incident__reference")
    )
    if not rows:
        raise NotFoundError(f"{login} is in no running incident. Write the account name as the accounts page shows it.")
    if any(not row.incident.is_exercise for row in rows):
        raise NoExerciseError(REAL)
    for row in rows:
        change_in_world(incident_id=row.incident_id, affected_id=row.pk, at=at)
    return [row.incident for row in rows]


def change_in_world(*, incident_id: UUID, affected_id: int, at: datetime) -> None:
    """A new password since `at` in the simulated directory of this exercise. Raises NoExerciseError."""
    row = AffectedAccount.objects.select_related("incident", "account").get(incident=incident_id, pk=affected_id)
    incident, account = row.incident, row.account
    with connection(reading_connection(incident), exercise=incident.is_exercise, world=str(incident.pk)) as directory:
        if not isinstance(directory, Simulated):
            raise NoExerciseError(REAL)
        directory.change_password(AccountRef(account.login, account.external_id, account.mail), at)

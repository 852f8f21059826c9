"""Asking the directory when passwords were changed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from django.conf import settings

from runbooks.actions.models import Action
from runbooks.affected_accounts.models import AffectedAccount, FactKind
from runbooks.affected_accounts.operations.read_back import ReadBack
from runbooks.confirmations.models import DirectoryWatch
from runbooks.connectors import configured, connection
from runbooks.connectors.base import AccountRef, AccountState, Fact
from runbooks.directory.models import Account
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident

NOTHING: Final[frozenset[str]] = frozenset()


class NoDirectoryError(DomainError):
    """None of the connections can say when a password was changed."""


def reading_connection(incident: Incident) -> str:
    """The connection that can say when a password was changed: the one that acted last, else the first that can."""
    acted = Action.objects.filter(incident=incident, started_at__isnull=False).order_by("-started_at")
    names = [*acted.values_list("connection", flat=True)[:5], *sorted(settings.CONNECTIONS)]
    for name in dict.fromkeys(names):
        try:
            capabilities = configured(name).capabilities
        except DomainError:
            continue
        if Fact.PASSWORD_CHANGED_AT in capabilities.facts and capabilities.is_simulated == incident.is_exercise:
            return str(name)
    return ""


def read_directory(incident: Incident, name: str, accounts: Sequence[Account]) -> list[AccountState]:
    """What the directory says of each, in this order. Outside a transaction. Raises ConnectorError, DomainError."""
    if not name:
        raise NoDirectoryError("No connection can say when a password was changed. Set one up that reads it.")
    with connection(name, exercise=incident.is_exercise, world=str(incident.pk)) as connector:
        return connector.read([AccountRef(one.login, one.external_id, one.mail) for one in accounts])


def note_trouble(incident: Incident, error: Exception) -> None:
    """For the page: why nobody can say whether passwords were changed, until the directory answers again."""
    DirectoryWatch.objects.update_or_create(incident=incident, defaults={"trouble": str(error)[:300]})


def changed_at_of(state: AccountState) -> datetime | None:
    reading = state.facts.get(Fact.PASSWORD_CHANGED_AT)
    return reading.value.astimezone(UTC) if reading is not None and isinstance(reading.value, datetime) else None


def password_back(
    row: AffectedAccount, state: AccountState, *, agrees: bool = False, differs: bool = False
) -> ReadBack:
    """What was read, for the account's facts: a password that `agrees`, or one that was to be new and is not."""
    changed_at, reading = changed_at_of(state), state.facts.get(Fact.PASSWORD_CHANGED_AT)
    source = f"{reading.source}, read back" if reading else "read back"
    kind = FactKind.PASSWORD_CHANGED
    return ReadBack(
        row.pk,
        source,
        {kind: changed_at} if changed_at and agrees else {},
        differs=frozenset({str(kind)}) if differs else NOTHING,
        agrees=frozenset({str(kind)}) if agrees else NOTHING,
    )

"""Reading accounts through a connector, and whether an answer is about those that were asked for."""

from collections.abc import Iterable, Sequence

from runbooks.actions.models import ActionAccount
from runbooks.connectors.base import AccountRef, AccountState, ActionResult, Connector
from runbooks.directory.models import Account
from runbooks.errors import DomainError


class MixedUpError(DomainError):
    """A connector answered about other accounts than it was asked for: taken in order, one would count for another."""


def ref(row: ActionAccount) -> AccountRef:
    return AccountRef(row.login, row.external_id, row.mail)


def read(connector: Connector, rows: Sequence[ActionAccount]) -> list[AccountState]:
    """The state of each. Raises ConnectorError, MixedUpError."""
    states = connector.read([ref(row) for row in rows])
    check_order(rows, states)
    return states


def plain(text: object) -> str:
    """What a system wrote, fit for a line and for the database, which takes neither NUL nor half a character."""
    return "".join(mark if mark.isprintable() else " " for mark in str(text)).strip()


def check_order(rows: Sequence[ActionAccount], answers: Sequence[AccountState | ActionResult]) -> None:
    """Raises MixedUpError unless there is one answer an account, in the order asked."""
    if [row.login for row in rows] != [one.account.login for one in answers]:
        raise MixedUpError(
            "The connector answered about other accounts than it was asked about, so nobody knows what became of whom. "
            "This is a fault of the connector: have it mended before this goes on."
        )


def somebody_else(rows: Iterable[ActionAccount]) -> set[int]:
    """Those rows whose account has another login or identifier in the directory than when the list was made.

    What was approved was for whom they named then; who has the login now may be another person. One query.
    """
    then = {row.account_id: row for row in rows}
    now = Account.objects.filter(pk__in=then).values_list("pk", "login", "external_id")
    return {
        then[account_id].pk
        for account_id, login, external_id in now
        if (login, external_id) != (then[account_id].login, then[account_id].external_id)
    }

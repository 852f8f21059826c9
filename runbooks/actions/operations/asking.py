"""Reading accounts through a connector, and whether an answer is about those that were asked for."""

from collections.abc import Sequence

from django.db.models import F, QuerySet

from runbooks.actions.models import ActionAccount
from runbooks.connectors.base import AccountRef, AccountState, ActionResult, Connector
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


def with_holder(rows: QuerySet[ActionAccount]) -> QuerySet[ActionAccount]:
    """Rows with what the directory says of their accounts now, for `is_somebody_else`."""
    return rows.annotate(login_now=F("account__login"), external_id_now=F("account__external_id"))


def is_somebody_else(row: ActionAccount) -> bool:
    """Whether the account has another login or identifier in the directory than when the list was made.

    What was approved was for whom they named then; who has the login now may be another person.
    """
    now = vars(row)
    return (row.login, row.external_id) != (now["login_now"], now["external_id_now"])

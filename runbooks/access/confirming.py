"""Proving once more who one is, before something that needs more than a session: a session can be stolen."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.core import ratelimit
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from runbooks.access.models import User
from runbooks.access.permissions import Actor
from runbooks.errors import DomainError

GOOD_FOR = timedelta(minutes=2)
PASSWORD = "password"  # noqa: S105  # the name of a kind of credential


class NotConfirmedError(DomainError):
    """The credential is wrong, or was not given."""

    status = 403


class TooManyTriesError(DomainError):
    status = 429


@dataclass(frozen=True, slots=True)
class Confirmation:
    """That this user gave this credential at this moment. Only `confirm` makes one."""

    user_id: int
    credential: str
    at: datetime


@sensitive_variables("password")
def confirm(request: HttpRequest, user: User, password: str, *, at: datetime) -> Confirmation:
    """Check the password of the person who is signed in. Raises NotConfirmedError, TooManyTriesError.

    At most ten tries a minute (allauth's limit "reauthenticate"): a stolen session is no place to guess at.
    """
    if not ratelimit.consume(request, action="reauthenticate", user=user):
        raise TooManyTriesError("Too many tries. Wait a minute, then try again.")
    if not password:
        raise NotConfirmedError("Enter your own password. It proves that it is you at this screen.")
    if not user.check_password(password):
        raise NotConfirmedError("That is not your password. Nothing was decided.")
    return Confirmation(user.pk, PASSWORD, at)


def require_confirmed(confirmed: Confirmation | None, actor: Actor, at: datetime) -> Confirmation:
    """The confirmation, when it is this actor's and fresh. Raises NotConfirmedError."""
    if confirmed is None or confirmed.user_id != actor.user_id or not timedelta() <= at - confirmed.at <= GOOD_FOR:
        raise NotConfirmedError("Prove once more that it is you: enter your own password.")
    return confirmed

"""Contact points: added, and counting once their code was typed in; ended, and put back within an hour."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from runbooks.access.models import User
from runbooks.access.permissions import Actor
from runbooks.access.vault import shut
from runbooks.contacts.models import ContactPoint
from runbooks.errors import DomainError, NotFoundError
from runbooks.notifications.channels import CHANNELS, channel
from runbooks.notifications.channels.base import BadAddressError, Channel
from runbooks.notifications.channels.domains import is_inside
from runbooks.notifications.operations.contacting.codes import order_code
from runbooks.notifications.operations.contacting.owning import locked_owner, own_point
from runbooks.notifications.operations.contacting.telling import tell_added, tell_ended
from runbooks.outbound.signing import new_secret

POINTS_MOST: Final = 12
ADDRESS_MAX: Final = 500
RESTORED_WITHIN: Final = timedelta(hours=1)


class CannotAddPointError(DomainError):
    """The contact point cannot be. `field` names what is wrong."""

    status = 400

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class TooLateError(DomainError):
    """What was taken out long ago is added anew, with a code."""


@dataclass(frozen=True, slots=True)
class Added:
    """The new point, and what its calls are signed with: in words this once and never again; empty for most."""

    point: ContactPoint
    secret: str = field(repr=False)


@transaction.atomic
def add_point(*, channel_name: str, address: str, actor: Actor, at: datetime) -> Added:
    """One more place to be reached at. A code goes there; until it is typed in nothing else does.

    Whether somebody else has the same address is not looked at, so nobody learns it.
    """
    owner = locked_owner(actor)
    by = _configured(channel_name)
    address = _cleaned(by, address)
    if ContactPoint.objects.filter(user=owner, ended_at__isnull=True).count() >= POINTS_MOST:
        raise CannotAddPointError("address", f"You have {POINTS_MOST} contact points. Take one out first.")
    secret = new_secret() if by.SIGNS else ""
    point = _create(owner, channel_name, address, shut(secret) if secret else "", at)
    order_code(point, at=at)
    return Added(point, secret)


def _configured(name: str) -> Channel:
    if name not in CHANNELS or not channel(name).is_configured():
        raise CannotAddPointError("channel", "Choose a channel of the list.")
    return channel(name)


def _cleaned(by: Channel, written: str) -> str:
    try:
        address = by.clean(written)
    except BadAddressError as error:
        raise CannotAddPointError("address", str(error)) from None
    if len(address) > ADDRESS_MAX:
        raise CannotAddPointError("address", f"An address has at most {ADDRESS_MAX} characters.")
    if is_inside(by.domain_of(address), settings.INSTITUTION_MAIL_DOMAINS):
        domain = by.domain_of(address)
        raise CannotAddPointError(
            "address",
            f"{domain} belongs to the institution, and what arrives there may be what an attacker reads. "
            "Give an address outside it.",
        )
    return address


def _create(owner: User, channel_name: str, address: str, secret: str, at: datetime) -> ContactPoint:
    try:
        with transaction.atomic():
            return ContactPoint.objects.create(
                user=owner, channel=channel_name, address=address, secret=secret, added_at=at
            )
    except IntegrityError:
        raise CannotAddPointError("address", "That is one of your contact points already.") from None


@transaction.atomic
def end_point(*, point_id: UUID, actor: Actor, at: datetime) -> ContactPoint:
    """Nothing goes there any more, but word of this. Lines of rules that name it are passed over."""
    owner = locked_owner(actor)
    point = own_point(owner, point_id)
    point.ended_at = at
    point.save(update_fields=["ended_at"])
    if point.verified_at is not None:
        tell_ended(owner, point, at=at)
    return point


@transaction.atomic
def restore_point(*, point_id: UUID, actor: Actor, at: datetime) -> ContactPoint:
    """Take back that it was taken out, within an hour: later it could be somebody else's by now."""
    owner = locked_owner(actor)
    point = ContactPoint.objects.filter(pk=point_id, user=owner, ended_at__isnull=False).first()
    if point is None or point.ended_at is None:
        raise NotFoundError("There is no such contact point of yours.")
    if at - point.ended_at > RESTORED_WITHIN:
        raise TooLateError("That was taken out more than an hour ago. Add it again: a code will go there.")
    point.user, point.ended_at = owner, None
    try:
        with transaction.atomic():
            point.save(update_fields=["ended_at"])
    except IntegrityError:
        raise TooLateError("You have added the same address again since.") from None
    if point.verified_at is not None:
        tell_added(owner, point, at=at)
    return point

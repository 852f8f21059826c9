"""Whose contact points these are: the actor's, and nobody else's."""

from uuid import UUID

from runbooks.access.models import User
from runbooks.access.permissions import Actor, require
from runbooks.contacts.models import ContactPoint
from runbooks.errors import NotAllowedError, NotFoundError


def locked_owner(actor: Actor) -> User:
    """The person, their row locked: all that changes how one person is reached happens one after the other."""
    if actor.user_id is None:
        raise NotAllowedError("Only people have contact points. Sign in as the person.")
    require(actor, "change_own_contacts")
    return User.objects.select_for_update(no_key=True).get(pk=actor.user_id)


def own_point(owner: User, point_id: UUID) -> ContactPoint:
    """Raises NotFoundError for what was ended, for what is somebody else's, and for what never was: all alike."""
    point = ContactPoint.objects.filter(pk=point_id, user=owner, ended_at__isnull=True).first()
    if point is None:
        raise NotFoundError("There is no such contact point of yours. It may have been taken out.")
    point.user = owner
    return point

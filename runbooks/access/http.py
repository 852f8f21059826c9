"""Requests of people who have signed in."""

from django.http import HttpRequest

from runbooks.access.models import User
from runbooks.access.permissions import Actor, actor_for


class PortalRequest(HttpRequest):
    """What every page but sign-in and health gets: LoginRequiredMiddleware lets nobody else through."""

    user: User
    is_reading_noted: bool
    """Set by a page that says itself what was read, more exactly than its address does."""


def actor_of(request: PortalRequest) -> Actor:
    return actor_for(request.user)

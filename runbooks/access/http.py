"""Requests of people who have signed in."""

from collections.abc import Iterable
from typing import Final

from django.http import HttpRequest

from runbooks.access.models import User
from runbooks.access.permissions import Actor, actor_for

# What a bigint of the database surely holds.
DIGITS_MAX: Final = 18


class PortalRequest(HttpRequest):
    """What every page but sign-in and health gets: LoginRequiredMiddleware lets nobody else through."""

    user: User
    is_reading_noted: bool
    """Set by a page that says itself what was read, more exactly than its address does."""


def actor_of(request: PortalRequest) -> Actor:
    return actor_for(request.user)


def whole_number(text: str | None) -> int | None:
    """The number in an address or a form, below 10^18; None for what is none: somebody cut the address short."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX else None


def whole_numbers(texts: Iterable[str]) -> list[int]:
    """Those of the texts that are numbers, in their order."""
    return [found for text in texts if (found := whole_number(text)) is not None]

"""Signing in through allauth: accounts are made by administrators, never by whoever comes by."""

import unicodedata
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from runbooks.access.models import User


class ClosedAccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Nobody signs up, and no password is reset by mail: the mailbox may be what was broken into."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """A sign-in that was switched off fails, and counts, as with a wrong password: nobody learns it was right."""
        user: User | None = super().authenticate(request, **credentials)
        if user is None or user.is_active:
            return user
        self.pre_authenticate(request, **credentials)
        self.authentication_failed(request, **credentials)
        return None

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Guesses are counted by the name alone, in one spelling.

        allauth counts them by host and name, and whoever guesses chooses the host: each port is another.
        """
        return unicodedata.normalize("NFKC", credentials.get("username", "")).upper()

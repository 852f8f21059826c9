"""Signing in through allauth: accounts are made by administrators, never by whoever comes by."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedAccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Nobody signs up, and no password is reset by mail: the mailbox may be what was broken into."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

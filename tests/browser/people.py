"""People in browsers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.cached_db import SessionStore
from playwright.sync_api import Browser, BrowserContext, Page

from runbooks.access.models import User
from tests.browser.fixtures import LiveApp

PageOf = Callable[..., Page]


def sign_in(context: BrowserContext, user: User, url: str) -> None:
    """Give the context the cookie of a session of that person."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session.session_key or "", "url": url}])


@pytest.fixture
def page_of(browser: Browser, live_app: LiveApp) -> Iterator[PageOf]:
    """A page of a browser of their own for somebody, or for nobody yet; all are closed before the server stops."""
    opened: list[BrowserContext] = []

    def open_page(user: User | None, **options: Any) -> Page:
        context = browser.new_context(base_url=live_app.url, **options)
        opened.append(context)
        if user is not None:
            sign_in(context, user, live_app.url)
        return context.new_page()

    yield open_page
    for context in opened:
        context.close()

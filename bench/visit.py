"""How bench/pages.py comes to the pages: their addresses, somebody's session, and the number of queries of each."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.cached_db import SessionStore
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runbooks.access.models import User
from runbooks.affected_accounts.queries.page import AccountFilter, account_page
from runbooks.incidents.models import Incident
from runbooks.room.views.timeline_filter import cursor_text
from runbooks.timeline.queries import PAGE, Cursor, Filter, page


@dataclass(frozen=True, slots=True)
class Found:
    """Pages by name, and the environment of the bare view: it begins where the second page does."""

    pages: dict[str, str]
    bare_environment: dict[str, str]


def addresses(incident: Incident) -> Found:
    accounts, timeline = (reverse(name, args=[incident.reference]) for name in ("accounts", "timeline"))
    last = _last_place(incident)
    second = page(incident.pk, Filter()).rows[-1]
    return Found(
        pages={
            "overview": reverse("incident", args=[incident.reference]),
            "steps": reverse("steps", args=[incident.reference]),
            "accounts, first page": accounts,
            "accounts, deepest page": f"{accounts}?after={_last_accounts(incident)}",
            "timeline, first page": timeline,
            "timeline, deepest page": f"{timeline}?after={cursor_text(*last)}",
        },
        bare_environment={
            "BARE_INCIDENT": str(incident.pk),
            "BARE_AFTER": f"{second.occurred_at.isoformat()} {second.sequence}",
        },
    )


def _last_place(incident: Incident) -> Cursor:
    """Where the last page of the timeline begins, newest first."""
    row = page(incident.pk, Filter(), newest_first=False, lines=PAGE + 1).rows[-1]
    return Cursor(row.occurred_at, row.sequence)


def _last_accounts(incident: Incident) -> str:
    """The cursor before the last page of the accounts, page after page as a person would."""
    cursor, following = "", account_page(incident.pk, AccountFilter()).after
    while following:
        cursor, following = following, account_page(incident.pk, AccountFilter(), after=following).after
    return cursor


def session_of(user: User) -> str:
    """The cookie of a session made through the session engine, as signing in makes it."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def queries(pages: dict[str, str], cookie: str) -> dict[str, int]:
    """The number of queries of each page, of a second visit: the first fills what is kept."""
    client = Client(headers={"host": "127.0.0.1", "cookie": cookie})
    counted = {}
    for name, path in pages.items():
        client.get(path)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(path)
        if answer.status_code != 200:
            raise SystemExit(f"{name}: {answer.status_code} at {path}")
        counted[name] = len(captured)
    return counted

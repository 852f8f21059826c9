"""The live feed over a real server: who hears it, what it says, what it holds, when it ends."""

import asyncio
import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.contrib.sessions.backends.cached_db import SessionStore
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE, actor_for
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import end_membership, lock
from runbooks.room import presence
from runbooks.room.views import live
from runbooks.timeline import live as hub_module
from runbooks.timeline.operations import Entry, record
from tests.browser.fixtures import LiveApp
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)
ClientOf = Callable[[User], Client]


@dataclass(frozen=True, slots=True)
class Stream:
    """An open stream, read event by event."""

    response: http.client.HTTPResponse

    def next(self) -> str:
        """The next event or comment, without the empty line that ends it; "" when the stream has ended."""
        lines = []
        while line := self.response.readline().decode().rstrip("\n"):
            lines.append(line)
        return "\n".join(lines)

    def next_sequence(self) -> tuple[int, int]:
        """(newest number, people here) of the next event that tells them."""
        while not (event := self.next()).startswith("event: sequence"):
            assert event, "The stream ended."
        number, people = event.removeprefix("event: sequence\ndata: ").split()
        return int(number), int(people)

    def wait_for(self, sequence: int) -> None:
        while self.next_sequence()[0] < sequence:
            pass


@contextmanager
def listening(live_app: LiveApp, client: Client, incident: Incident) -> Iterator[Stream]:
    """Ask for the stream as the client's person; what is no stream is read just the same."""
    connection_ = http.client.HTTPConnection(urlsplit(live_app.url).netloc, timeout=20)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    try:
        connection_.request("GET", reverse("live", args=[incident.pk]), headers={"Cookie": cookie})
        yield Stream(connection_.getresponse())
    finally:
        connection_.close()


def append(incident: Incident) -> int:
    with transaction.atomic():
        return record(lock(incident.pk), Entry("entry.added", "x"), actor=COMMAND_LINE, at=timezone.now()).sequence


@pytest.fixture
def quick_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.2)


def test_a_stream_says_the_newest_number_at_once_and_every_later_one(
    live_app: LiveApp, incident: Incident, responder: User, client_of: ClientOf
) -> None:
    append(incident)
    with listening(live_app, client_of(responder), incident) as stream:
        assert stream.response.status == 200
        assert stream.response.getheader("Content-Type") == "text/event-stream"
        assert stream.response.getheader("Cache-Control") == "no-store"
        assert stream.response.getheader("X-Accel-Buffering") == "no"
        assert stream.next_sequence() == (1, 1)
        for expected in (2, 3):
            append(incident)
            stream.wait_for(expected)


def test_a_change_that_is_undone_is_not_told(
    live_app: LiveApp, incident: Incident, responder: User, client_of: ClientOf
) -> None:
    with listening(live_app, client_of(responder), incident) as stream:
        assert stream.next_sequence()[0] == 0
        with transaction.atomic():
            record(lock(incident.pk), Entry("entry.added", "x"), actor=COMMAND_LINE, at=timezone.now())
            transaction.set_rollback(True)
        append(incident)
        assert stream.next_sequence()[0] == 1


def test_everybody_hears_and_everybody_is_counted(
    live_app: LiveApp, incident: Incident, responder: User, desk: User, client_of: ClientOf
) -> None:
    with listening(live_app, client_of(responder), incident) as first:
        assert first.next_sequence() == (0, 1)
        # The same person in a second window is one person still.
        with listening(live_app, client_of(responder), incident) as again:
            assert again.next_sequence() == (0, 1)
        with listening(live_app, client_of(desk), incident) as second:
            assert second.next_sequence() == (0, 2)
            append(incident)
            first.wait_for(1)
            second.wait_for(1)


def test_the_others_learn_that_somebody_came(
    live_app: LiveApp, incident: Incident, responder: User, desk: User, client_of: ClientOf, quick_heartbeat: None
) -> None:
    with listening(live_app, client_of(responder), incident) as first:
        assert first.next_sequence() == (0, 1)
        with listening(live_app, client_of(desk), incident):
            assert first.next_sequence() == (0, 2)


def test_a_quiet_stream_says_that_it_is_still_there(
    live_app: LiveApp, incident: Incident, responder: User, client_of: ClientOf, quick_heartbeat: None
) -> None:
    with listening(live_app, client_of(responder), incident) as stream:
        stream.next_sequence()
        assert [stream.next(), stream.next()] == [": still here", ": still here"]


def test_an_outsider_gets_no_stream_and_nobody_else_without_signing_in(
    live_app: LiveApp, incident: Incident, outsider: User, client_of: ClientOf
) -> None:
    with listening(live_app, client_of(outsider), incident) as stream:
        assert stream.response.status == 404
    stranger = Client()
    stranger.cookies[settings.SESSION_COOKIE_NAME] = "nothing"
    with listening(live_app, stranger, incident) as stream:
        assert stream.response.status == 302


def test_a_stream_ends_with_the_membership(
    live_app: LiveApp,
    incident: Incident,
    responder: User,
    coordinator: User,
    client_of: ClientOf,
    quick_heartbeat: None,
) -> None:
    with listening(live_app, client_of(responder), incident) as stream:
        stream.next_sequence()
        at, actor = timezone.now(), actor_for(coordinator)
        end_membership(incident_id=incident.pk, user_id=responder.pk, actor=actor, at=at)
        assert_ended(stream)


@pytest.mark.parametrize("how", ["signed out", "switched off", "password changed"])
def test_a_stream_ends_with_the_session(
    how: str, live_app: LiveApp, incident: Incident, responder: User, client_of: ClientOf, quick_heartbeat: None
) -> None:
    client = client_of(responder)
    with listening(live_app, client, incident) as stream:
        stream.next_sequence()
        if how == "signed out":
            SessionStore(client.cookies[settings.SESSION_COOKIE_NAME].value).flush()
        elif how == "switched off":
            User.objects.filter(pk=responder.pk).update(is_active=False)
        else:
            responder.set_password("another long passphrase")
            responder.save(update_fields=["password"])
        assert_ended(stream)


def assert_ended(stream: Stream) -> None:
    """The stream says that it ended, and ends."""
    while (event := stream.next()) != "event: ended\ndata:":
        assert event, "The stream broke off without a word."
    assert stream.next() == ""


def test_waiting_streams_hold_no_database_connection(
    live_app: LiveApp, incident: Incident, client_of: ClientOf, quick_heartbeat: None
) -> None:
    """The pool has ten connections; with fifteen streams open, pages are served as ever."""
    client = client_of(incident.lead)  # type: ignore[arg-type]  # the fixture has a lead
    streams = [listening(live_app, client, incident) for _ in range(15)]
    opened = [stream.__enter__() for stream in streams]
    try:
        for stream in opened:
            stream.next_sequence()
        append(incident)
        for stream in opened:
            stream.wait_for(1)
        page = http.client.HTTPConnection(urlsplit(live_app.url).netloc, timeout=20)
        cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
        page.request("GET", reverse("timeline", args=[incident.reference]), headers={"Cookie": cookie})
        assert page.getresponse().status == 200
        page.close()
    finally:
        for stream_ in streams:
            stream_.__exit__(None, None, None)


def test_one_person_opens_only_so_many_streams_and_may_close_one(
    live_app: LiveApp, incident: Incident, responder: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "STREAMS_PER_USER", 2)
    client = client_of(responder)
    with listening(live_app, client, incident) as first:
        first.next_sequence()
        with listening(live_app, client, incident) as second:
            second.next_sequence()
            with listening(live_app, client, incident) as third:
                assert third.response.status == 429
    # The server learns of a closed stream when it next wakes; until then it counts.
    status = 429
    for _ in range(200):
        with listening(live_app, client, incident) as again:
            status = again.response.status
        if status == 200:
            break
        threading.Event().wait(0.05)
    assert status == 200


def test_a_lost_database_connection_is_made_anew_and_nothing_is_missed(
    live_app: LiveApp, incident: Incident, responder: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough away that the next entry falls into the gap; and no heartbeat makes up for it.
    monkeypatch.setattr(hub_module, "BACKOFF_SECONDS", (0.5,))
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 600.0)
    with listening(live_app, client_of(responder), incident) as stream:
        stream.next_sequence()
        append(incident)
        stream.wait_for(1)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE application_name = 'ir-portal live' AND datname = current_database()"
            )
            assert cursor.fetchone() == (1,)
        append(incident)
        stream.wait_for(2)
        append(incident)
        stream.wait_for(3)


def test_people_are_counted_alone_where_valkey_is_down(
    incident: Incident, responder: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert presence.people_here(incident.pk, make_user().pk) == 1
    assert presence.people_here(incident.pk, responder.pk) == 2
    presence._valkey.cache_clear()
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    try:
        assert presence.people_here(incident.pk, responder.pk) == 1
    finally:
        presence._valkey.cache_clear()


def test_a_server_without_streams_says_so(incident: Incident, responder: User, client_of: ClientOf) -> None:
    answer = client_of(responder).get(reverse("live", args=[incident.pk]))
    assert (answer.status_code, "ASGI" in answer.text) == (501, True)


def test_a_storm_of_entries_is_told_by_its_last(incident: Incident) -> None:
    async def storm() -> list[int]:
        hub = hub_module.Hub()
        heard = []
        with hub.listening(incident.pk, 1) as listener:
            for number in range(1, 101):
                hub._tell(incident.pk, number)
            hub._tell(incident.pk, 50)
            while await listener.wait(0.05):
                heard.append(listener.sequence)
        assert hub._task is not None
        hub._task.cancel()
        with pytest.raises((asyncio.CancelledError, psycopg.Error)):
            await hub._task
        return heard

    assert asyncio.run(storm()) == [100]

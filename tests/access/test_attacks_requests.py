"""Requests that a page of somebody else makes in a person's name, and answers that somebody else could keep."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.incidents.operations import add_member
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import deliver
from tests.access.forms import answers, posted_to
from tests.access.rooms import Room, make_room
from tests.access.routes import NAMES
from tests.access.traces import differences, rows
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
# The stream needs another server, and how it does stands with it; so does what /healthz says.
# The signers' public keys are for everybody, to keep.
PAGES = [name for name in NAMES if name not in {"live", "healthz", "signers"}]


@pytest.fixture
def room(coordinator: User) -> Room:
    return make_room(lead=coordinator)


@pytest.fixture
def victim(room: Room, coordinator: User, client_of: ClientOf) -> Client:
    return client_of(coordinator)


def read(response: Any) -> bytes:
    """All of the answer; a file is closed by it."""
    return b"".join(response.streaming_content) if response.streaming else bytes(response.content)


def test_every_form_needs_the_token_of_its_page(room: Room, coordinator: User) -> None:
    forms = answers(room)
    client = Client(enforce_csrf_checks=True)
    client.force_login(coordinator)
    before = rows()
    for name in forms:
        assert client.post(posted_to(room, name), forms[name]).status_code == 403, name
        foreign = client.post(posted_to(room, name), forms[name], headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403, name
    for name in ("account_logout", "account_change_password", "account_reauthenticate", "account_login"):
        assert client.post(reverse(name), {"login": coordinator.username, "password": PASSWORD}).status_code == 403
    assert client.post("/admin/logout/").status_code == 403
    assert client.get(reverse("incident_list")).status_code == 200
    assert not differences(before)


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "patch", "delete", "trace"])
def test_nothing_but_post_changes_anything(method: str, room: Room, victim: Client) -> None:
    forms, before = answers(room), rows()
    names = {name: name for name in PAGES} | {name: name.partition(" ")[0] for name in forms}
    for name in names:
        address = posted_to(room, name) if name in forms else room.address(name)
        # Read in the query string, a form would be a link.
        fields = forms.get(name, {}) if method in {"get", "head"} else {}
        response = getattr(victim, method)(address, {key: str(value) for key, value in fields.items()})
        assert response.status_code < 500, name
        # allauth's forms take PUT as POST, with the token; the home page leads on whatever is asked of it.
        is_refused = response.status_code == 405 or name.startswith("account_") or name == "home"
        assert method in {"get", "head", "options"} or is_refused, name
        read(response)
    assert not differences(before)


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "delete"])
def test_nothing_but_post_signs_out(method: str, victim: Client) -> None:
    getattr(victim, method)(reverse("account_logout"))
    assert victim.get(reverse("incident_list")).status_code == 200
    victim.post(reverse("account_logout"))
    assert victim.get(reverse("incident_list")).status_code == 302


def test_no_answer_is_kept_framed_or_guessed_at(room: Room, victim: Client, client: Client) -> None:
    for name in PAGES:
        for person in (victim, client):
            response = person.get(room.address(name))
            assert "no-store" in response["Cache-Control"], name
            assert response["X-Content-Type-Options"] == "nosniff", name
            assert response["Referrer-Policy"] == "same-origin", name
            is_file = name in {"step_evidence_file", "attachment_download", "export_download"}
            assert "frame-ancestors 'none'" in response["Content-Security-Policy"] or is_file
            assert "unsafe" not in response["Content-Security-Policy"], name
            read(response)
    for address in ("/no/such/page", "/incidents/IR-2001-0001/", "/admin/", "/incidents/?q=%00"):
        assert "no-store" in victim.get(address)["Cache-Control"], address


NEXT = [
    "//evil.example",
    "https://evil.example/",
    "http:evil.example",
    "javascript:zqx()",
    "/\\evil.example",
    "\\\\evil.x",
]
NEXT += ["https:///evil.example", "http://testserver@evil.example/", "//evil.example\\@testserver/", " //evil.example"]
NEXT += ["/\t/evil.example", "\x01//evil.example", "https://testserver.evil.example/", "ftp://testserver/"]


@pytest.mark.parametrize("wanted", NEXT)
def test_no_address_leads_elsewhere(wanted: str, room: Room, victim: Client, coordinator: User, client: Client) -> None:
    added = victim.post(room.address("timeline_add"), {"summary": "Seen", "next": wanted})
    assert added["Location"] == room.address("timeline")
    signed_in = client.post(
        reverse("account_login"), {"login": coordinator.username, "password": PASSWORD, "next": wanted}
    )
    assert signed_in["Location"] == reverse("incident_list")
    for name in ("account_change_password", "account_reauthenticate"):
        fields = {"oldpassword": PASSWORD, "password": PASSWORD, "password1": "x", "password2": "y", "next": wanted}
        assert "evil" not in victim.post(reverse(name), fields).headers.get("Location", "")


def test_the_way_back_from_a_refusal_leads_to_our_own_pages_only(
    room: Room, auditor: User, client_of: ClientOf
) -> None:
    client, address = client_of(auditor), reverse("incident_declare")
    assert "evil.example" not in client.get(address, headers={"Referer": "https://evil.example/"}).text
    assert "evil.example" not in client.get(address, headers={"Referer": "//evil.example/"}).text
    assert "javascript" not in client.get(address, headers={"Referer": "javascript:zqx()"}).text
    assert (
        'href="http://testserver/my-work/"'
        in client.get(address, headers={"Referer": "http://testserver/my-work/"}).text
    )


@pytest.mark.parametrize(
    "host", ["evil.example", "testserver.evil.example", "testserver@evil.example", "", "a b", "[::1"]
)
def test_another_host_is_refused(host: str, victim: Client) -> None:
    response = victim.get(reverse("incident_list"), headers={"Host": host})
    assert response.status_code == 400
    assert "evil.example" not in response.text


def test_a_notice_names_the_portal_as_it_is_set_and_its_subject_stays_one_line(
    room: Room, victim: Client, settings: Settings, coordinator: User
) -> None:
    settings.ALLOWED_HOSTS, settings.PORTAL_URL = ["*"], "https://portal.example"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    title = "Guessing\r\nBcc: all@evil.example\r\n\r\nSign in at https://evil.example/"
    form = {**answers(room)["incident_declare"], "title": title}
    victim.post(reverse("incident_declare"), form, headers={"Host": "evil.example"})
    new = Notification.objects.filter(event="incident.declared", incident__title__startswith="Guessing")
    incident = new[0].incident
    add_member(incident_id=incident.pk, user_id=make_user().pk, actor=actor_for(coordinator), at=timezone.now())
    for notice in Notification.objects.filter(incident=incident):
        assert "It is at portal.example." in notice.body
        assert "//evil.example" not in notice.body
    deliver(clock=timezone.now)
    assert len(mail.outbox) > 1
    for message in mail.outbox:
        headers = message.message()
        assert "\n" not in str(headers["Subject"])
        assert headers["Bcc"] is None
        assert message.recipients() == message.to
        assert "://" not in message.body


def test_the_cookies_are_for_this_host_and_its_pages_only(coordinator: User) -> None:
    client = Client()
    client.get(reverse("account_login"))
    client.post(reverse("account_login"), {"login": coordinator.username, "password": PASSWORD})
    assert {"session", "csrftoken"} <= set(client.cookies)
    for cookie in client.cookies.values():
        assert (cookie["httponly"], cookie["samesite"], cookie["domain"], cookie["path"]) == (True, "Lax", "", "/")


def test_what_was_done_is_not_told_to_whoever_signs_in_next(room: Room, victim: Client, responder: User) -> None:
    victim.post(room.address("account_act", verb="owner"), {"owner": str(room.incident.lead_id), "version": "1"})
    assert set(victim.cookies) == {"session"}
    victim.post(reverse("account_logout"))
    victim.post(reverse("account_login"), {"login": responder.username, "password": PASSWORD})
    assert room.account.login not in victim.get(reverse("incident_list")).text


def test_behind_tls_the_cookies_never_travel_without_it() -> None:
    names = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")
    others = ("SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_DOMAIN", "SECURE_HSTS_SECONDS", "SECURE_SSL_REDIRECT", "DEBUG")
    code = (
        "import json; from django.conf import settings; "
        f"print(json.dumps({{name: getattr(settings, name) for name in {(*names, *others)!r}}}))"
    )
    environment = {**os.environ, "HTTPS": "1", "DJANGO_SETTINGS_MODULE": "ir_portal.settings"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(said.stdout)
    assert found.pop("SECURE_HSTS_SECONDS") >= 180 * 24 * 3600
    assert found == {
        "SESSION_COOKIE_NAME": "__Host-session",
        "CSRF_COOKIE_NAME": "__Host-csrftoken",
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_DOMAIN": None,
        "SECURE_SSL_REDIRECT": True,
        "DEBUG": False,
    }


def test_an_error_of_ours_says_nothing_of_what_broke(
    room: Room, coordinator: User, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    def broken(*given: object, **named: object) -> None:
        secret = f"hunter2 {settings.SECRET_KEY}"
        raise ZeroDivisionError(secret)

    monkeypatch.setattr("runbooks.room.views.overview.needs", broken)
    client = Client(raise_request_exception=False)
    client.force_login(coordinator)
    response = client.get(room.address("incident"), {"token": "hunter2"}, headers={"X-Secret": "hunter2"})
    assert response.status_code == 500
    for told in ("hunter2", settings.SECRET_KEY, "Traceback", "ZeroDivision", room.mark, "/work", ".py"):
        assert told not in response.text
    assert "no-store" in response["Cache-Control"]

"""The page of connections: what each can do, and its test."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from ldap3.core.exceptions import LDAPSocketOpenError

from runbooks.access.models import User

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
PAGE = "/connections/"
SECRET = "wormwood-and-gall"


@pytest.fixture
def several(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """People, a simulated one, one that answers nowhere, and one that is set up wrongly."""
    monkeypatch.setenv("CONNECTION_DIRECTORY_PASSWORD", SECRET)
    settings.CONNECTIONS = {
        "people": {"connector": "manual"},
        "exercise": {"connector": "simulated", "lag_seconds": 90},
        "directory": {
            "connector": "ldap",
            "url": "ldap://127.0.0.1:9",
            "bind_dn": "cn=portal,dc=example",
            "base": "dc=example",
        },
        "broken": {"connector": "ldap", "colour": "blue"},
        "strange": {"connector": "carrier pigeon"},
    }


def test_each_connection_says_what_it_can_do_and_a_wrong_one_breaks_no_page(
    several: None, responder: User, client_of: ClientOf
) -> None:
    response = client_of(responder).get(PAGE)
    assert response.status_code == 200
    page = response.text
    for said in (
        "Exercises only",
        "whether sign-in is disabled",
        'Disable sign-in <span class="muted">can be undone</span>',
        'End sessions <span class="muted">cannot be undone</span>',
        "at most 200 accounts",
        "100 accounts a second",
        "1.2 accounts a minute",
        "<dd>1 min</dd>",
        "Nothing by itself: people bring the evidence.",
        "names the connector &#x27;carrier pigeon&#x27;",
    ):
        assert said in page, said
    assert page.count("It cannot be used.") == 2
    assert SECRET not in page


def test_a_test_shows_its_findings_and_their_mends(several: None, coordinator: User, client_of: ClientOf) -> None:
    client = client_of(coordinator)
    page = client.post(reverse("connection_test", args=["people"])).text
    assert "Nothing keeps it from working." in page
    assert "people asks a person; nothing is read back by itself." in page
    page = client.post(reverse("connection_test", args=["directory"])).text
    assert "It would not do all that it declares." in page
    assert "<b>Mend:</b> " in page
    assert SECRET not in page
    page = client.post(reverse("connection_test", args=["broken"])).text
    assert "Mend the settings, then start the portal again." in page or "It cannot be used." in page


def test_only_those_who_run_actions_look_and_test(
    several: None, administrator: User, desk: User, auditor: User, client_of: ClientOf
) -> None:
    assert client_of(administrator).get(PAGE).status_code == 200
    for user in (desk, auditor):
        assert client_of(user).get(PAGE).status_code == 403
        assert client_of(user).post(reverse("connection_test", args=["people"])).status_code == 403


def test_a_test_is_asked_for_by_post_and_of_what_is_there(
    several: None, coordinator: User, client_of: ClientOf
) -> None:
    client = client_of(coordinator)
    assert client.get(reverse("connection_test", args=["people"])).status_code == 405
    assert client.post(reverse("connection_test", args=["nobody"])).status_code == 404
    assert client.post(reverse("connection_test", args=["../people"])).status_code == 404


def test_the_page_itself_asks_nothing_of_the_outside(
    several: None, coordinator: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the button does: a page that waits for a dead server would be no help."""
    opened: list[object] = []

    def refuse(*given: object, **more: object) -> None:
        opened.append(given)
        raise LDAPSocketOpenError("nobody there")

    monkeypatch.setattr("ldap3.Connection.__init__", refuse)
    client = client_of(coordinator)
    assert "ldap://" not in client.get(PAGE).text
    assert opened == []
    client.post(reverse("connection_test", args=["directory"]))
    assert opened != []

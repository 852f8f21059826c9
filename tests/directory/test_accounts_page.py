from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE
from runbooks.directory.models import Account
from runbooks.directory.queries import Filter, account_page
from tests.directory.institution import load, make_institution
from tests.factories import make_account

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
PAGE = "/directory/"


def listed(client: Client, **filters: object) -> list[str]:
    """The logins that the page shows, in order."""
    response = client.get(PAGE, filters)
    assert response.status_code == 200
    return [account.login for account in response.context["page"].accounts]


@pytest.mark.parametrize("role", ["administrator", "coordinator", "responder", "desk", "communications"])
def test_staff_may_look_into_the_directory(role: str, request: pytest.FixtureRequest, client_of: SignIn) -> None:
    account = make_account()
    client = client_of(request.getfixturevalue(role))
    assert listed(client) == [account.login]
    assert client.get(reverse("directory_account", args=[account.pk])).status_code == 200


def test_an_auditor_may_not(auditor: User, client_of: SignIn) -> None:
    client = client_of(auditor)
    assert client.get(PAGE).status_code == 403
    assert client.get(reverse("directory_account", args=[make_account().pk])).status_code == 403


def test_nobody_looks_without_signing_in() -> None:
    assert Client().get(PAGE).status_code == 302


def test_pages_follow_each_other_without_gap_or_repeat() -> None:
    # Many of one name, so that pages end within it.
    for number in range(23):
        make_account(display_name=f"Name {number // 10}")
    seen, after = [], None
    while True:
        page = account_page(actor=COMMAND_LINE, narrowed=Filter(), after=after, size=4)
        seen += [account.pk for account in page.accounts]
        after = page.after
        if after is None:
            break
    assert seen == list(Account.objects.order_by("display_name", "id").values_list("pk", flat=True))


def test_every_word_must_be_somewhere(desk: User, client_of: SignIn) -> None:
    make_account(login="a@b.example", display_name="Smith, Jane", title="Clerk")
    make_account(login="b@b.example", display_name="Smith, Tom", title="Peer", office="Room 12")
    client = client_of(desk)
    assert listed(client, q="smith") == ["a@b.example", "b@b.example"]
    assert listed(client, q="CLERK smith") == ["a@b.example"]
    assert listed(client, q="room") == ["b@b.example"]
    assert listed(client, q="clerk tom") == []
    assert listed(client, q="%") == []


def test_filters_narrow_and_nonsense_does_not(desk: User, client_of: SignIn) -> None:
    make_account(login="a@b.example", display_name="A", department="Library")
    make_account(login="b@b.example", display_name="B", kind=Account.Kind.GUEST, is_enabled=False)
    make_account(login="c@b.example", display_name="C", gone_at=timezone.now(), department="Estates")
    make_account(login="d@b.example", display_name="D", is_privileged=True, department="Estates")
    client = client_of(desk)
    assert listed(client) == ["a@b.example", "b@b.example", "d@b.example"]
    assert listed(client, kind="guest") == ["b@b.example"]
    assert listed(client, state="disabled") == ["b@b.example"]
    assert listed(client, state="gone") == ["c@b.example"]
    assert listed(client, state="privileged") == ["d@b.example"]
    assert listed(client, department="Estates") == ["d@b.example"]
    assert len(listed(client, kind="robot", state="lost", after="x")) == 3
    assert len(listed(client, after="99999999999999999999")) == 3


def test_empty_lists_say_why_and_what_next(coordinator: User, desk: User, client_of: SignIn) -> None:
    assert "The directory is empty" in client_of(coordinator).get(PAGE).content.decode()
    assert reverse("directory_import_new") not in client_of(desk).get(PAGE).content.decode()
    make_account()
    assert "No accounts match" in client_of(desk).get(PAGE, {"q": "zzz"}).content.decode()


def test_queries_do_not_grow_with_the_directory(desk: User, client_of: SignIn, tmp_path: Path) -> None:
    client = client_of(desk)
    needed = []
    for accounts in (10, 3000):
        load(make_institution(tmp_path, accounts=accounts, affected=5).csv.read_bytes(), allow_gone=True)
        client.get(PAGE)
        with CaptureQueriesContext(connection) as queries:
            client.get(PAGE)
        needed.append(len(queries))
    assert needed[0] == needed[1]


def test_the_page_of_an_account_warns_of_a_fresh_number(desk: User, client_of: SignIn) -> None:
    client = client_of(desk)
    calm = client.get(reverse("directory_account", args=[make_account().pk])).content.decode()
    assert "may have changed it" not in calm
    fresh = make_account(contact_changed_at=timezone.now(), gone_at=timezone.now())
    warned = client.get(reverse("directory_account", args=[fresh.pk])).content.decode()
    assert "may have changed it" in warned
    assert "no longer held this account" in warned


@pytest.mark.parametrize(("language", "shown"), [("cy", "Welsh"), ("en-gb", "English"), ("", "not known")])
def test_the_page_of_an_account_names_its_language(desk: User, client_of: SignIn, language: str, shown: str) -> None:
    account = make_account(language=language)
    page = client_of(desk).get(reverse("directory_account", args=[account.pk])).content.decode()
    assert f"<dt>Language</dt><dd>{shown}</dd>" in page


def test_an_account_that_is_not_there_is_not_found(desk: User, client_of: SignIn) -> None:
    assert client_of(desk).get(reverse("directory_account", args=[1])).status_code == 404

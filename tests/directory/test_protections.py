"""Protecting accounts from actions on many: operation, pages, command."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.directory.models import Protection
from runbooks.directory.operations import BadProtectionError, protect_account, release_account
from runbooks.errors import NotAllowedError, NotFoundError
from tests.factories import make_account

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
LIST = "/directory/protected/"


def protect(by: User, account_id: int, kind: str = "break_glass", reason: str = "Sealed envelope") -> Protection:
    return protect_account(actor=actor_for(by), account_id=account_id, kind=kind, reason=reason, at=timezone.now())


def test_a_protection_says_who_why_and_since_when(coordinator: User) -> None:
    account = make_account()
    before = timezone.now()
    protect(coordinator, account.pk)
    kept = Protection.objects.get(account=account)
    assert (kept.kind, kept.reason, kept.added_by) == ("break_glass", "Sealed envelope", coordinator.name)
    assert kept.added_at >= before


def test_protecting_again_corrects_the_kind_and_the_reason(coordinator: User, administrator: User) -> None:
    account = make_account()
    protect(coordinator, account.pk)
    protect(administrator, account.pk, "duty", "Night shift")
    kept = Protection.objects.get(account=account)
    assert (kept.kind, kept.reason, kept.added_by) == ("duty", "Night shift", administrator.name)


@pytest.mark.parametrize(("kind", "reason"), [("moon", "x"), ("duty", " "), ("duty", "x" * 401)])
def test_a_protection_needs_a_kind_and_a_reason(kind: str, reason: str, coordinator: User) -> None:
    with pytest.raises(BadProtectionError):
        protect(coordinator, make_account().pk, kind, reason)
    assert not Protection.objects.exists()


def test_responders_protect_and_release_nobody(responder: User, coordinator: User) -> None:
    account = make_account()
    with pytest.raises(NotAllowedError):
        protect(responder, account.pk)
    protect(coordinator, account.pk)
    with pytest.raises(NotAllowedError):
        release_account(actor=actor_for(responder), account_id=account.pk)
    assert Protection.objects.count() == 1


def test_what_is_not_there_is_neither_protected_nor_released(coordinator: User) -> None:
    with pytest.raises(NotFoundError):
        protect(coordinator, 0)
    with pytest.raises(NotFoundError):
        release_account(actor=actor_for(coordinator), account_id=make_account().pk)


def test_an_account_is_protected_and_released_on_its_page(coordinator: User, client_of: ClientOf) -> None:
    account = make_account()
    client = client_of(coordinator)
    page = reverse("directory_account", args=[account.pk])
    assert "an action on everyone takes this account, too" in client.get(page).text
    given = {"kind": "break_glass", "reason": "Envelope <3>"}
    response = client.post(reverse("directory_account_protect", args=[account.pk]), given, follow=True)
    assert "Protected: break-glass account" in response.text
    assert "Envelope &lt;3&gt;" in response.text
    response = client.post(reverse("directory_account_release", args=[account.pk]), follow=True)
    assert f"{account.login} is no longer protected." in response.text
    assert not Protection.objects.exists()


def test_a_form_without_a_reason_is_refused_and_keeps_the_kind(coordinator: User, client_of: ClientOf) -> None:
    account = make_account()
    response = client_of(coordinator).post(reverse("directory_account_protect", args=[account.pk]), {"kind": "duty"})
    assert response.status_code == 400
    assert '<option value="duty" selected>' in response.text
    assert "There is a problem" in response.text


def test_readers_see_protections_and_change_none(responder: User, coordinator: User, client_of: ClientOf) -> None:
    account = make_account()
    protect(coordinator, account.pk)
    client = client_of(responder)
    page = client.get(reverse("directory_account", args=[account.pk])).text
    assert "Sealed envelope" in page
    assert "No longer protect this account" not in page
    for name in ("directory_account_protect", "directory_account_release"):
        assert client.post(reverse(name, args=[account.pk]), {"kind": "duty", "reason": "x"}).status_code == 403
    assert Protection.objects.get().kind == "break_glass"


def test_the_list_is_paged_by_name_and_its_queries_do_not_grow(
    coordinator: User, client_of: ClientOf, django_assert_num_queries: Any
) -> None:
    client = client_of(coordinator)
    assert "No account is protected" in client.get(LIST).text
    protect(coordinator, make_account(login="a00@parliament.example").pk)
    with CaptureQueriesContext(connection) as queries:
        client.get(LIST)
    made = len(queries)
    for number in range(1, 53):
        protect(coordinator, make_account(login=f"a{number:02d}@parliament.example").pk)
    page = client.get(LIST)
    assert [one.account.login for one in page.context["page"].protections][:2] == [
        "a00@parliament.example",
        "a01@parliament.example",
    ]
    assert "53 accounts that actions on many" in page.text
    after = page.context["page"].after
    with django_assert_num_queries(made):
        client.get(LIST)
    rest = client.get(LIST, {"after": after}).context["page"]
    assert [one.account.login for one in rest.protections] == [f"a{n}@parliament.example" for n in (50, 51, 52)]
    assert rest.after is None
    assert client.get(LIST, {"after": "9" * 30}).status_code == 200


def test_an_auditor_does_not_look_into_the_list(auditor: User, client_of: ClientOf) -> None:
    assert client_of(auditor).get(LIST).status_code == 403


def test_the_command_protects_and_releases(capsys: pytest.CaptureFixture[str]) -> None:
    account = make_account(login="Root@Parliament.example")
    call_command("protect_account", "root@parliament.example", "--as", "break_glass", "--why", "Envelope")
    kept = Protection.objects.get(account=account)
    assert (kept.kind, kept.reason, kept.added_by) == ("break_glass", "Envelope", "Command line")
    call_command("protect_account", "root@parliament.example", "--remove")
    assert not Protection.objects.exists()
    said = capsys.readouterr().out
    assert "Root@Parliament.example is protected as break-glass account." in said
    assert "Root@Parliament.example is no longer protected." in said


@pytest.mark.parametrize(
    "given", [["nobody@parliament.example", "--remove"], ["a@parliament.example"], ["a@parliament.example", "--remove"]]
)
def test_the_command_says_what_is_wrong(given: list[str]) -> None:
    make_account(login="a@parliament.example")
    with pytest.raises(CommandError):
        call_command("protect_account", *given)

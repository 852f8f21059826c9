"""Guessing, finding out who is there, taking over a session, and what is left in logs."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import BasePasswordHasher, get_hasher
from django.test import Client
from django.urls import reverse

from runbooks.access.models import User
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
LOGIN = "account_login"


def sign_in(client: Client, login: str, password: str, **more: Any) -> Any:
    return client.post(reverse(LOGIN), {"login": login, "password": password}, **more)


def said(response: Any) -> str:
    assert response.status_code == 200
    return str(response.text.partition("There is a problem")[2].partition("</div>")[0])


@pytest.fixture
def switched_off(db: None) -> User:
    return make_user(is_active=False)


@pytest.fixture
def without_password(db: None) -> User:
    user = make_user()
    user.set_unusable_password()
    user.save()
    return user


def test_nobody_learns_who_is_there_or_whose_password_was_right(
    coordinator: User, switched_off: User, without_password: User
) -> None:
    tries = {
        ("nobody-here", PASSWORD),
        (coordinator.username, "wrong password"),
        (coordinator.username.upper(), "wrong password"),
        (switched_off.username, "wrong password"),
        (switched_off.username, PASSWORD),
        (without_password.username, PASSWORD),
        (without_password.username, "!"),
        (coordinator.email, "wrong password"),
        (coordinator.email, PASSWORD),
    }
    answers = {said(sign_in(Client(), *one)) for one in tries}
    assert len(answers) == 1
    assert "not correct" in answers.pop()


def test_every_try_costs_the_same_work(coordinator: User, switched_off: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """One password is worked through, whether or not there is anybody of that name."""
    worked: list[str] = []
    hasher = type(get_hasher())
    encode: Callable[..., str] = hasher.encode

    def counted(self: BasePasswordHasher, password: str, salt: str) -> str:
        worked.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(hasher, "encode", counted)
    for login in (coordinator.username, switched_off.username, "nobody-here"):
        worked.clear()
        sign_in(Client(), login, "guess")
        assert worked == ["guess"], login


@pytest.mark.parametrize(
    "changed",
    [
        lambda n: {"headers": {"Host": f"localhost:{8000 + n}"}},
        lambda n: {"headers": {"X-Forwarded-For": f"192.0.2.{n}"}},
        lambda n: {"headers": {"User-Agent": f"browser {n}"}},
        lambda n: {"headers": {"Forwarded": f"for=192.0.2.{n}"}},
        lambda n: {},
    ],
)
def test_no_header_brings_more_guesses(changed: Callable[[int], dict[str, Any]], coordinator: User) -> None:
    """Each guess comes from another network, as a botnet's would: what counts then is the name."""
    for n in range(1, 8):
        sign_in(Client(), coordinator.username, f"guess {n}", REMOTE_ADDR=f"198.51.{n}.7", **changed(n))
    right = sign_in(Client(), coordinator.username, PASSWORD, REMOTE_ADDR="198.51.100.9", **changed(99))
    assert "Too many" in said(right)


@pytest.mark.parametrize(
    "spelling", [str.upper, str.title, lambda name: f" {name} ", lambda name: name.replace("o", "ｏ")]
)
def test_another_spelling_of_a_name_brings_no_more_guesses(spelling: Callable[[str], str], coordinator: User) -> None:
    for n in range(1, 8):
        sign_in(Client(), spelling(coordinator.username), f"guess {n}", REMOTE_ADDR=f"198.51.{n}.7")
    right = sign_in(Client(), coordinator.username, PASSWORD, REMOTE_ADDR="198.51.100.9")
    assert "Too many" in said(right)


def test_one_address_is_slowed_whatever_names_it_tries(coordinator: User) -> None:
    """A few tries at each of many names: the very attack that this portal is for."""
    for n in range(12):
        last = sign_in(Client(), f"name-{n}", "Summer2026!", headers={"X-Forwarded-For": f"192.0.2.{n}"})
    assert "Too many" in said(last)


def test_guessing_one_name_locks_out_nobody_else(coordinator: User, responder: User) -> None:
    for n in range(8):
        sign_in(Client(), coordinator.username, f"guess {n}", REMOTE_ADDR=f"198.51.{n}.7")
    assert sign_in(Client(), responder.username, PASSWORD, REMOTE_ADDR="198.51.100.9").status_code == 302


def test_a_sign_in_that_is_switched_off_counts_its_guesses_like_any_other(switched_off: User) -> None:
    for n in range(6):
        last = sign_in(Client(), switched_off.username, PASSWORD, REMOTE_ADDR=f"198.51.{n}.7")
    assert "Too many" in said(last)


def test_a_session_from_before_signing_in_is_not_the_one_afterwards(coordinator: User) -> None:
    client = Client()
    planted = client.session
    planted["planted"] = "by an attacker"
    planted.save()
    client.cookies["session"] = str(planted.session_key)
    sign_in(client, coordinator.username, PASSWORD)
    assert client.cookies["session"].value != planted.session_key
    attacker = Client()
    attacker.cookies["session"] = str(planted.session_key)
    assert attacker.get(reverse("incident_list")).status_code == 302


def test_the_token_of_the_form_changes_with_signing_in(coordinator: User) -> None:
    client = Client()
    client.get(reverse(LOGIN))
    before = client.cookies["csrftoken"].value
    sign_in(client, coordinator.username, PASSWORD)
    assert client.cookies["csrftoken"].value != before


def test_a_session_ends_with_signing_out_for_whoever_copied_it(coordinator: User, client_of: ClientOf) -> None:
    client, thief = client_of(coordinator), Client()
    thief.cookies["session"] = client.cookies["session"].value
    assert thief.get(reverse("incident_list")).status_code == 200
    client.post(reverse("account_logout"))
    assert thief.get(reverse("incident_list")).status_code == 302


@pytest.mark.parametrize("what", ["password", "switched off"])
def test_other_sessions_end_when_the_password_changes_or_the_sign_in_is_switched_off(
    what: str, coordinator: User, client_of: ClientOf
) -> None:
    own, thief = client_of(coordinator), client_of(coordinator)
    if what == "password":
        new = "another passphrase of mine"
        own.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": new, "password2": new})
        assert own.get(reverse("incident_list")).status_code == 200
    else:
        User.objects.filter(pk=coordinator.pk).update(is_active=False)
        assert own.get(reverse("incident_list")).status_code == 302
    assert thief.get(reverse("incident_list")).status_code == 302


def test_a_role_that_was_taken_away_is_gone_with_the_next_request(coordinator: User, client_of: ClientOf) -> None:
    client = client_of(coordinator)
    assert client.get(reverse("incident_declare")).status_code == 200
    User.objects.filter(pk=coordinator.pk).update(role="auditor")
    assert client.get(reverse("incident_declare")).status_code == 403


@pytest.mark.parametrize("password", ["short", "password123456", "coordinator-9-coordinator", "123456789012"])
def test_a_weak_password_is_refused(password: str, client_of: ClientOf) -> None:
    user = make_user(username="coordinator-9-coordinator")
    fields = {"oldpassword": PASSWORD, "password1": password, "password2": password}
    assert client_of(user).post(reverse("account_change_password"), fields).status_code == 200
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_no_password_stands_in_a_log_or_on_a_page(
    coordinator: User, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret, new = "correct horse battery staplf", "a fresh passphrase 4711"
    client = client_of(coordinator)
    fields = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    shown = [
        sign_in(Client(), coordinator.username, secret),
        sign_in(Client(), secret, PASSWORD),
        sign_in(Client(), coordinator.username, PASSWORD),
        client.post(reverse("account_reauthenticate"), {"password": secret}),
        client.post(reverse("account_change_password"), {**fields, "oldpassword": secret}),
        client.post(reverse("account_change_password"), fields),
        Client(enforce_csrf_checks=True).post(reverse(LOGIN), {"login": "x", "password": secret}),
    ]
    # What was typed as a name comes back as the name; nobody else sees that page.
    pages = "".join(one.text for number, one in enumerate(shown) if number != 1)
    for password in (secret, new, PASSWORD):
        assert password not in caplog.text
        assert password not in pages


def test_nobody_who_is_not_staff_opens_the_administration(
    responder: User, coordinator: User, auditor: User, client_of: ClientOf
) -> None:
    made_up = {"username": "backdoor", "password1": "a fresh passphrase 4711", "password2": "a fresh passphrase 4711"}
    for person in (responder, coordinator, auditor):
        client = client_of(person)
        for address in ("/admin/", "/admin/runbooks/user/", "/admin/runbooks/user/add/", "/admin/jsi18n/"):
            assert client.get(address).status_code in {302, 403}, address
            assert client.post(address, {**made_up, "is_superuser": "on"}).status_code in {302, 403}, address
        own = f"/admin/runbooks/user/{person.pk}/change/"
        assert client.post(own, {"role": "administrator", "is_superuser": "on"}).status_code in {302, 403}
    assert not User.objects.filter(is_superuser=True).exists()
    assert not User.objects.filter(username="backdoor").exists()


def test_not_even_an_administrator_deletes_a_person(administrator: User, responder: User, client_of: ClientOf) -> None:
    client = client_of(administrator)
    assert client.post(f"/admin/runbooks/user/{responder.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": str(responder.pk), "post": "yes"}
    client.post("/admin/runbooks/user/", chosen)
    assert User.objects.filter(pk=responder.pk).exists()

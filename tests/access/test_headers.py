"""What every answer carries, and how the admin is reached."""

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import Client
from django.urls import reverse

from ir_portal import settings as site
from runbooks.access.models import User
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def test_no_inline_script_or_style_is_allowed() -> None:
    policy = Client().get(reverse("account_login"))["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_other_headers_are_strict() -> None:
    response = Client().get(reverse("account_login"))
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"


def test_a_post_without_its_token_is_refused(coordinator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(coordinator)
    assert client.post(reverse("incident_declare"), {}).status_code == 403


def test_signing_in_takes_name_and_password_and_leads_to_the_incidents(coordinator: User) -> None:
    client = Client()
    response = client.post(reverse("account_login"), {"login": coordinator.username, "password": PASSWORD})
    assert response.status_code == 302
    assert response["Location"] == reverse("incident_list")


def test_an_unknown_name_and_a_wrong_password_read_the_same(coordinator: User) -> None:
    def said(login: str) -> str:
        response = Client().post(reverse("account_login"), {"login": login, "password": "wrong password"})
        return response.text.replace(login, "").split("There is a problem")[1].split("</div>")[0]

    assert said(coordinator.username) == said("nobody-here")


def test_guessing_is_slowed(coordinator: User) -> None:
    client = Client()
    answers = [
        client.post(reverse("account_login"), {"login": coordinator.username, "password": f"guess {n}"})
        for n in range(12)
    ]
    assert "Too many" in answers[-1].text or answers[-1].status_code == 429
    assert (
        client.post(reverse("account_login"), {"login": coordinator.username, "password": PASSWORD}).status_code != 302
    )


def test_the_admin_is_behind_the_same_sign_in(administrator: User, coordinator: User) -> None:
    assert Client().get("/admin/", follow=True).redirect_chain[-1][0].startswith(reverse("account_login"))
    client = Client()
    client.force_login(coordinator)
    assert client.get("/admin/").status_code in {302, 403}
    client.force_login(administrator)
    assert client.get("/admin/runbooks/user/").status_code == 200


def test_nobody_signs_up_or_resets_a_password_by_mail() -> None:
    for path in ("/account/signup/", "/account/password/reset/", "/accounts/signup/"):
        assert Client().get(path).status_code in {302, 404}
        assert "password1" not in Client().get(path, follow=True).text


def test_passwords_are_kept_as_argon2id() -> None:
    assert site.PASSWORD_HASHERS == ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    assert Argon2PasswordHasher().encode("a passphrase", "0123456789abcdef").startswith("argon2$argon2id$")

import json
import stat
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.test import RequestFactory
from pytest_django import Settings

from ir_portal.engines.state import free_port
from runbooks.demonstration import notices
from runbooks.demonstration.people import make_password_text
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from tests.demonstration.conftest import SMALL
from tests.factories import make_account, make_incident, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.RUN_DIR, settings.MEDIA_ROOT = tmp_path, tmp_path / "media"
    return tmp_path


@pytest.fixture
def mail(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Real SMTP to a free port, where the demonstration finds no sink and brings its own."""
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = notices.SMTP_BACKEND, "127.0.0.1"
    settings.EMAIL_PORT = free_port(23_400, "The mail sink of a test")
    kept = tmp_path / "mail"
    kept.mkdir()
    monkeypatch.setattr(notices, "folder", lambda name: kept)
    return kept


def test_it_loads_says_so_and_leaves_sign_ins_that_work(
    folder: Path, mail: Path, capsys: pytest.CaptureFixture[str], rf: RequestFactory
) -> None:
    call_command("demo", accounts=SMALL)
    said = capsys.readouterr().out
    assert "143 on the list" in said
    assert "the chain verifies" in said
    file = folder / "sign-ins.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    sign_ins = json.loads(file.read_text(encoding="utf-8"))
    assert all(entry["username"] in said and entry["password"] in said for entry in sign_ins)
    assert {"Administrator", "Coordinator", "Service desk", "Auditor"} <= {entry["role"] for entry in sign_ins}
    assert len({entry["password"] for entry in sign_ins}) == len(sign_ins)
    for entry in sign_ins[:2]:
        assert authenticate(rf.post("/"), username=entry["username"], password=entry["password"]) is not None

    delivered = Notification.objects.filter(status="delivered")
    failed = Notification.objects.filter(status="failed")
    assert delivered.count() == len(list(mail.glob("*.eml"))) > 20
    assert not Notification.objects.filter(status="waiting").exists()
    assert all((notice.delivered_at - notice.created_at).total_seconds() < 60 for notice in delivered)
    assert {notice.recipient.username for notice in failed} == {"legal.adviser"}
    assert "550" in failed.first().reason

    call_command("demo", accounts=SMALL)
    again = capsys.readouterr().out
    assert "there already" in again
    assert all(entry["password"] in again for entry in sign_ins)
    assert Incident.objects.count() == 1


def test_it_refuses_a_portal_with_incidents_of_its_own() -> None:
    make_incident()
    with pytest.raises(CommandError, match="There are incidents already"):
        call_command("demo", accounts=SMALL)


def test_it_refuses_a_portal_with_a_directory() -> None:
    make_account()
    with pytest.raises(CommandError, match="holds 1 account already"):
        call_command("demo", accounts=SMALL)


def test_it_refuses_where_its_user_names_are_taken() -> None:
    make_user(username="service.desk")
    with pytest.raises(CommandError, match=r"user names: service\.desk"):
        call_command("demo", accounts=SMALL)


def test_it_refuses_a_size_too_small_for_the_story() -> None:
    with pytest.raises(CommandError, match="250 to 200,000"):
        call_command("demo", accounts=40)


def test_a_real_incident_of_the_same_title_is_not_taken_for_the_demonstration() -> None:
    make_incident(title="Password-guessing attack on parliamentary email")
    with pytest.raises(CommandError, match="There are incidents already"):
        call_command("demo", accounts=SMALL)


def test_passwords_are_long_and_never_the_same() -> None:
    passwords = {make_password_text() for _ in range(50)}
    assert len(passwords) == 50
    assert all(len(password) == 17 for password in passwords)

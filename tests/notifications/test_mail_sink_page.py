"""The demonstration shows the mail it kept; a real portal has no such page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from runbooks.access.models import User

SignIn = Callable[[User], Client]


@pytest.fixture
def mail(settings: Settings, tmp_path: Path) -> Path:
    """The folder of a demonstration's sink."""
    settings.MAIL_SINK, settings.RUN_DIR = True, tmp_path
    (tmp_path / "mail").mkdir()
    return tmp_path / "mail"


def keep(mail: Path, number: int, content: str) -> None:
    (mail / f"{1_796_823_000_000_000_000 + number:023d}.eml").write_bytes(content.encode())


def text(subject: str, body: str = "Hello.") -> str:
    return f"X-Envelope-To: a@responders.example\r\nSubject: {subject}\r\n\r\n{body}\r\n"


def test_outside_a_demonstration_there_is_no_such_page(
    client_of: SignIn, coordinator: User, settings: Settings
) -> None:
    settings.MAIL_SINK = False
    assert client_of(coordinator).get("/mail-sink/").status_code == 404


def test_whoever_has_not_signed_in_sees_nothing(client: Client, mail: Path) -> None:
    keep(mail, 1, text("Secret"))
    response = client.get("/mail-sink/")
    assert response.status_code == 302
    assert response["Location"].startswith("/account/sign-in/")


def test_the_newest_mail_comes_first(client_of: SignIn, coordinator: User, mail: Path) -> None:
    keep(mail, 1, text("Earlier"))
    keep(mail, 2, text("Later"))
    content = client_of(coordinator).get("/mail-sink/").content.decode()
    assert content.index("Later") < content.index("Earlier")
    assert "To a@responders.example" in content


def test_older_mail_is_on_the_next_page_and_none_is_left_out(client_of: SignIn, coordinator: User, mail: Path) -> None:
    for number in range(35):
        keep(mail, number, text(f"Mail {number:02d} of many"))
    client = client_of(coordinator)
    first = client.get("/mail-sink/")
    second = client.get("/mail-sink/", {"before": first.context["next"]})
    seen = [mail.subject for page in (first, second) for mail, *_ in page.context["mails"]]
    assert seen == [f"Mail {number:02d} of many" for number in reversed(range(35))]
    assert not second.context["next"]


def test_a_text_message_says_to_which_number_and_is_read_at_once(
    client_of: SignIn, coordinator: User, mail: Path
) -> None:
    keep(mail, 1, "X-Text-To: +447700900123\r\nSubject: Text to +447700900123\r\n\r\nYour code: 7K2M-9QXB\r\n")
    content = client_of(coordinator).get("/mail-sink/").content.decode()
    assert "Text to +447700900123" in content
    assert "Your code: 7K2M-9QXB" in content
    assert "Read the mail" not in content


def test_markup_in_a_mail_stays_text(client_of: SignIn, coordinator: User, mail: Path) -> None:
    keep(mail, 1, text("<script>alert(1)</script>", "<img src=x onerror=alert(2)>"))
    content = client_of(coordinator).get("/mail-sink/").content.decode()
    assert "<script>alert" not in content
    assert "<img src=x" not in content
    assert "&lt;img src=x" in content


@pytest.mark.parametrize(
    "content",
    ["", "Content-Type: text/plain; charset=no-such\r\n\r\n\xe9", "Content-Type: application/zip\r\n\r\nPK", "\0\xff"],
    ids=["empty", "unknown charset", "no text", "no mail at all"],
)
def test_a_message_of_any_shape_does_not_break_the_page(
    client_of: SignIn, coordinator: User, mail: Path, content: str
) -> None:
    keep(mail, 1, content)
    assert client_of(coordinator).get("/mail-sink/").status_code == 200


def test_files_that_are_no_kept_mail_are_passed_over(client_of: SignIn, coordinator: User, mail: Path) -> None:
    keep(mail, 1, text("Kept"))
    (mail / "half.new").write_text(text("Half"))
    (mail / "notes.eml").write_text(text("Notes"))
    content = client_of(coordinator).get("/mail-sink/").content.decode()
    assert "Kept" in content
    assert "Half" not in content
    assert "Notes" not in content


def test_an_empty_sink_says_how_mail_comes_about(client_of: SignIn, coordinator: User, mail: Path) -> None:
    assert "No mail yet" in client_of(coordinator).get("/mail-sink/").content.decode()

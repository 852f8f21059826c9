"""The settings by which notices leave: nonsense stops the start, with the setting's name and the mend."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from ir_portal import messaging
from runbooks.notifications.channels import CHANNELS

ACCOUNT = "AC" + "0" * 32


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWILIO_ACCOUNT", "TWILIO_TOKEN", "TWILIO_FROM", "TWILIO_VOICE_FROM", "TWILIO_URL", "TEXT_PROVIDER"):
        monkeypatch.delenv(name, raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


# Mail


@pytest.mark.parametrize(
    "backend", ["runbooks.notifications.channels.smtp.Backend", "anymail.backends.mailgun.EmailBackend"]
)
def test_a_backend_that_is_there_is_taken(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_BACKEND", backend)
    assert messaging.mail_backend("EMAIL_BACKEND", "x") == backend
    monkeypatch.delenv("EMAIL_BACKEND")
    assert messaging.mail_backend("EMAIL_BACKEND", backend) == backend


@pytest.mark.parametrize("backend", ["mailgun", "anymail.backends.nobody.EmailBackend", "no.such.Backend"])
def test_a_backend_that_is_not_there_stops_the_start(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_BACKEND", backend)
    with pytest.raises(ImproperlyConfigured, match="EMAIL_BACKEND is"):
        messaging.mail_backend("EMAIL_BACKEND", "x")


@pytest.mark.parametrize("value", ["IR Portal", "a@", "@b.example", "a@b.example\nBcc: x@evil.example"])
def test_mail_is_from_an_address(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_FROM_EMAIL", value)
    with pytest.raises(ImproperlyConfigured, match="DEFAULT_FROM_EMAIL"):
        messaging.sender("DEFAULT_FROM_EMAIL", "x")


def test_options_of_anymail_are_read_by_their_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")
    set_all(
        monkeypatch,
        ANYMAIL_MAILGUN_API_KEY_FILE=str(tmp_path / "key"),
        ANYMAIL_POSTMARK_SERVER_TOKEN="12345",
        ANYMAIL_REQUESTS_TIMEOUT="20",
        ANYMAIL_IGNORE_UNSUPPORTED_FEATURES="true",
        ANYMAIL_SEND_DEFAULTS='{"tags": ["ir-portal"]}',
    )
    assert messaging.anymail() == {
        "MAILGUN_API_KEY": "secret",
        "POSTMARK_SERVER_TOKEN": "12345",
        "REQUESTS_TIMEOUT": 20,
        "IGNORE_UNSUPPORTED_FEATURES": True,
        "SEND_DEFAULTS": {"tags": ["ir-portal"]},
    }


def test_an_option_that_is_half_json_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYMAIL_SEND_DEFAULTS", "{tags")
    with pytest.raises(ImproperlyConfigured, match="ANYMAIL_SEND_DEFAULTS is not JSON"):
        messaging.anymail()


def test_both_ways_of_tls_at_once_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, EMAIL_USE_TLS="1", EMAIL_USE_SSL="1")
    with pytest.raises(ImproperlyConfigured, match="EMAIL_USE_TLS and EMAIL_USE_SSL"):
        messaging.not_both("EMAIL_USE_TLS", "EMAIL_USE_SSL")
    monkeypatch.setenv("EMAIL_USE_SSL", "0")
    messaging.not_both("EMAIL_USE_TLS", "EMAIL_USE_SSL")


# Twilio and texts


def test_without_an_account_there_is_no_twilio() -> None:
    assert messaging.twilio() == {}
    assert messaging.text_provider({}, {}) == "gateway"


def test_a_number_speaks_and_writes_and_a_name_only_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, TWILIO_ACCOUNT=ACCOUNT, TWILIO_TOKEN="t", TWILIO_FROM="+447700900123")
    account = messaging.twilio()
    assert (account["from"], account["voice_from"]) == ("+447700900123", "+447700900123")
    assert account["url"] == "https://api.twilio.com"
    monkeypatch.setenv("TWILIO_FROM", "IR Portal")
    assert messaging.twilio()["voice_from"] == ""
    monkeypatch.setenv("TWILIO_FROM", "MG" + "a" * 32)
    monkeypatch.setenv("TWILIO_VOICE_FROM", "+442079460100")
    assert messaging.twilio()["voice_from"] == "+442079460100"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"TWILIO_TOKEN": ""}, "TWILIO_TOKEN"),
        ({"TWILIO_ACCOUNT": "me"}, "TWILIO_ACCOUNT"),
        ({"TWILIO_FROM": ""}, "TWILIO_FROM"),
        ({"TWILIO_FROM": "07700 900123"}, "TWILIO_FROM"),
        ({"TWILIO_FROM": "a name that is too long"}, "TWILIO_FROM"),
        ({"TWILIO_VOICE_FROM": "IR Portal"}, "TWILIO_VOICE_FROM"),
        ({"TWILIO_URL": "http://api.twilio.com"}, "TWILIO_URL"),
    ],
)
def test_half_an_account_stops_the_start(changes: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"TWILIO_ACCOUNT": ACCOUNT, "TWILIO_TOKEN": "t", "TWILIO_FROM": "+447700900123"}
    set_all(monkeypatch, **{**good, **changes})
    with pytest.raises(ImproperlyConfigured, match=f"^{named} "):
        messaging.twilio()


def test_texts_go_by_what_is_set_up_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    account = {"account": ACCOUNT}
    assert messaging.text_provider({}, account) == "twilio"
    assert messaging.text_provider({"url": "x"}, account) == "gateway"
    monkeypatch.setenv("TEXT_PROVIDER", "twilio")
    assert messaging.text_provider({"url": "x"}, account) == "twilio"
    with pytest.raises(ImproperlyConfigured, match="TWILIO_ACCOUNT"):
        messaging.text_provider({}, {})


# The others


@pytest.mark.parametrize("value", ["http://example.org", "example.org", "ftp://example.org", "https://"])
def test_an_address_of_a_service_is_https(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATRIX_HOMESERVER", value)
    with pytest.raises(ImproperlyConfigured, match="MATRIX_HOMESERVER"):
        messaging.address("MATRIX_HOMESERVER")
    monkeypatch.setenv("MATRIX_HOMESERVER", "http://127.0.0.1:8008/")
    assert messaging.address("MATRIX_HOMESERVER") == "http://127.0.0.1:8008"


def test_a_homeserver_without_a_token_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATRIX_HOMESERVER", "https://example.org")
    monkeypatch.delenv("MATRIX_TOKEN", raising=False)
    with pytest.raises(ImproperlyConfigured, match="MATRIX_TOKEN is not set"):
        messaging.both_or_neither("MATRIX_HOMESERVER", "MATRIX_TOKEN")
    monkeypatch.setenv("MATRIX_TOKEN", "t")
    messaging.both_or_neither("MATRIX_HOMESERVER", "MATRIX_TOKEN")


def test_channels_are_named_as_they_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTICE_CHANNELS", raising=False)
    assert messaging.channels("NOTICE_CHANNELS") == list(CHANNELS)
    monkeypatch.setenv("NOTICE_CHANNELS", "email, ntfy")
    assert messaging.channels("NOTICE_CHANNELS") == ["email", "ntfy"]
    monkeypatch.setenv("NOTICE_CHANNELS", "email, pigeon")
    with pytest.raises(ImproperlyConfigured, match="pigeon"):
        messaging.channels("NOTICE_CHANNELS")

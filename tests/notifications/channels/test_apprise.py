"""Apprise speaks for itself, so it may speak to few: each service it may use was looked at for where it goes."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from pytest_django import Settings

from runbooks.notifications.channels import apprise_services
from runbooks.notifications.channels.apprise_places import SERVICES, opened
from runbooks.notifications.channels.base import BadAddressError, ChannelError, Message, Reason, Sent
from tests.notifications.channels.peers import MESSAGE

HOST = "chat.example.org"
ADDRESSES = {
    "discord": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "gchat": "gchat://workspace/key/token",
    "pagerduty": f"pagerduty://{'a' * 32}@{'b' * 32}",
    "pbul": f"pbul://{'a' * 32}",
    "pover": f"pover://{'u' * 30}@{'t' * 30}",
    "prowl": f"prowl://{'a' * 40}",
    "signl4": "signl4://secretabc",
    "splunk": "splunk://key@12345678-1234-1234-1234-123456789012",
    "spush": "spush://HSL1234",
    "tgram": "tgram://123456789:abcdefg_hijklmnop/12315544/",
    "threema": "threema://*ABCDEFG@secret/+447700900123",
    "gotifys": f"gotifys://{HOST}/{'a' * 15}",
    "jsons": f"jsons://{HOST}/path",
    "nctalks": f"nctalks://user:word@{HOST}/room",
    "rockets": f"rockets://user:word@{HOST}/#room",
    "signals": f"signals://{HOST}/+447700900123/+447700900124",
}


@pytest.fixture(autouse=True)
def _hosts(settings: Settings) -> None:
    settings.APPRISE_HOSTS = [HOST]


Answer = Callable[[], requests.Response]


class Wire:
    """Where Apprise's calls end in these tests."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answer: Answer = lambda: _answered(200)

    def request(self, session: Any, method: str, url: str, **options: Any) -> requests.Response:
        self.calls.append((url, options))
        return self.answer()


def _answered(
    status: int, content: bytes = b'{"ok": true, "success": true, "status": 1, "result": {}}'
) -> requests.Response:
    response = requests.Response()
    response.status_code, response._content = status, content
    return response


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    made = Wire()
    monkeypatch.setattr(requests.Session, "request", lambda *given, **options: made.request(*given, **options))
    return made


def message_to(address: str, **changes: Any) -> Message:
    return Message(address, MESSAGE.subject, MESSAGE.body, MESSAGE.key, **changes)


def send(address: str, **changes: Any) -> Sent:
    with apprise_services.line() as line:
        return line.send(message_to(address, **changes))


def test_every_service_was_looked_at() -> None:
    assert set(ADDRESSES) == set(SERVICES)


@pytest.mark.parametrize("schema", SERVICES)
@pytest.mark.parametrize("is_important", [False, True])
def test_each_service_is_called_at_the_host_it_is_known_by_over_tls_and_follows_nobody(
    schema: str, is_important: bool, wire: Wire
) -> None:
    address = apprise_services.clean(ADDRESSES[schema])
    wire.answer = lambda: _answered(401)
    with pytest.raises(ChannelError):
        send(address, is_important=is_important)
    assert wire.calls
    for url, options in wire.calls:
        host = url.partition("://")[2].partition("/")[0].partition(":")[0]
        known = apprise_services.domain_of(address)
        assert url.startswith("https://")
        assert host == known or host.endswith(f".{known}")
        assert options["allow_redirects"] is False
        assert options["verify"] is True
        assert options["timeout"]


@pytest.mark.parametrize(
    "written",
    [
        "mailto://user:word@example.org",
        "syslog://",
        "exec://rm",
        "file:///etc/passwd",
        "json://chat.example.org/x",
        "jsons://169.254.169.254/latest",
        "jsons://other.example.org/x",
        "jsons://[::1]/x",
        "jsons://chat.example.org.evil.example/x",
        "jsons://chat.example.org@evil.example/x",
        "jsons://evil.example@chat.example.org@x.example/x",
        f"gotifys://u@{HOST}@evil.example/{'a' * 15}",
        f"gotifys://evil.example\\@{HOST}/{'a' * 15}",
        f"jsons://{HOST}/x?verify=no",
        f"jsons://{HOST}/x?redirect=yes",
        f"jsons://{HOST}/x?+Host=evil.example",
        f"jsons://{HOST}/x?method=DELETE",
        f"jsons://{HOST}/x?attach=file:///etc/passwd",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?template=/etc/passwd",
        f"pover://{'u' * 30}@{'t' * 30}?cto=9999",
        "opsgenie://" + "a" * 36,
        "https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "pover://[",
        "tgram://",
    ],
)
def test_apprise_goes_nowhere_else(written: str, wire: Wire) -> None:
    with pytest.raises(BadAddressError):
        apprise_services.clean(written)
    with pytest.raises(ChannelError) as caught:
        send(written)
    assert (caught.value.permanent, caught.value.reason) == (True, Reason.ADDRESS_REFUSED)
    assert wire.calls == []


def test_a_host_that_is_named_no_more_is_not_called_any_more(wire: Wire, settings: Settings) -> None:
    address = apprise_services.clean(ADDRESSES["gotifys"])
    settings.APPRISE_HOSTS = []
    with pytest.raises(ChannelError):
        send(address)
    assert wire.calls == []


@pytest.mark.parametrize(
    ("status", "permanent", "reason", "late"),
    [
        (401, True, Reason.ADDRESS_REFUSED, False),
        (404, True, Reason.ADDRESS_REFUSED, False),
        (429, False, Reason.BUSY, False),
        (503, False, Reason.BUSY, False),
        (500, False, Reason.FAULT, True),
    ],
)
def test_the_status_in_apprises_log_says_what_to_do(
    wire: Wire, status: int, permanent: bool, reason: Reason, late: bool
) -> None:
    wire.answer = lambda: _answered(status, MESSAGE.body.encode())
    with pytest.raises(ChannelError) as caught:
        send(ADDRESSES["pover"])
    error = caught.value
    assert (error.permanent, error.reason, error.may_have_arrived) == (permanent, reason, late)
    assert not error.is_of_the_channel
    assert str(error).startswith("api.pushover.net ")
    assert MESSAGE.body.strip() not in str(error)
    assert "uuu" not in str(error)


def test_a_line_that_breaks_may_have_carried_it(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> requests.Response:
        raise requests.ConnectionError("https://api.pushover.net/secret")

    wire.answer = broken
    with pytest.raises(ChannelError) as caught:
        send(ADDRESSES["pover"])
    assert (caught.value.permanent, caught.value.may_have_arrived) == (False, True)
    assert "secret" not in str(caught.value)
    assert "secret" not in caplog.text


def test_what_is_said_calls_nobody_by_name(wire: Wire) -> None:
    with apprise_services.line() as line:
        line.send(Message(ADDRESSES["discord"], "Now @here", "@everyone <@&42>", MESSAGE.key))
    said = str(wire.calls[0][1])
    assert "@everyone" not in said
    assert "@here" not in said
    assert "<@&42>" not in said


def test_nothing_is_kept_on_disk_and_nothing_imported_that_is_not_used() -> None:
    sender = opened(ADDRESSES["pover"])
    (service,) = list(sender)
    assert service.asset.storage_mode == "memory"
    assert not service.redirects


def test_colleagues_see_which_service_and_no_more() -> None:
    assert apprise_services.shown(ADDRESSES["tgram"]) == "tgram://…"

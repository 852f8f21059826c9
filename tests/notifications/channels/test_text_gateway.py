"""Text messages through a gateway: what it is asked, and what its answers mean."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs

import pytest
from pytest_django import Settings

from ir_portal.environment import GATEWAY
from runbooks.notifications.channels.text_gateway import TextError, is_configured, send
from tests.connectors.served import HANG_UP, Asked, Said, served

TOKEN = "a secret of the gateway's"
TEXT = "the code 7K2M-9QTX"

Answer = Callable[[Asked], Said]


class Gateway:
    """A text gateway on this machine, and what it was asked."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self.asked: list[Asked] = []
        self.answer: Answer = lambda _: Said(202, {"id": "1"})
        self._settings, self._url = settings, stack.enter_context(served(self._take))

    def _take(self, asked: Asked) -> Said:
        self.asked.append(asked)
        return self.answer(asked)

    def configure(self, **options: Any) -> None:
        self._settings.TEXT_GATEWAY = {
            **GATEWAY,
            "url": f"{self._url}/v1/messages",
            "headers": {"Authorization": "Bearer {token}"},
            "body": {"to": "{number}", "message": {"body": "{text}", "tags": ["ir-portal", "{key}"]}, "urgent": True},
            "token": TOKEN,
            **options,
        }


@pytest.fixture
def gateway(settings: Settings) -> Iterator[Gateway]:
    settings.OUTBOUND_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    with ExitStack() as stack:
        made = Gateway(settings, stack)
        made.configure()
        yield made


def refused(text: str = TEXT) -> TextError:
    with pytest.raises(TextError) as caught:
        send("07700 900123", text, "key-1")
    assert "7K2M" not in caught.value.reason
    assert "900123" not in caught.value.reason
    assert TOKEN not in caught.value.reason
    return caught.value


def test_a_message_goes_out_as_the_settings_say(gateway: Gateway) -> None:
    send("07700 900123", TEXT, "key-1")
    (asked,) = gateway.asked
    assert (asked.method, asked.path) == ("POST", "/v1/messages")
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["Idempotency-Key"] == "key-1"
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.content == {
        "to": "+447700900123",
        "message": {"body": TEXT, "tags": ["ir-portal", "key-1"]},
        "urgent": True,
    }


@pytest.mark.parametrize(
    "text",
    ['", "to": "+447700900999', "{number} {token} {key}", "\\u0022 \\", "line\nbreak", "£ ŵ 🎉", "&to=+44&x={text}"],
)
@pytest.mark.parametrize("form", [False, True])
def test_no_text_leaves_its_place_in_the_body(gateway: Gateway, text: str, form: bool) -> None:
    body = {"to": "{digits}", "text": "{text}"}
    gateway.configure(body=body, format="form" if form else "json")
    send("07700 900123", text, "key-1")
    (asked,) = gateway.asked
    got = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()} if form else asked.content
    assert got == {"to": "447700900123", "text": text}


def test_a_put_goes_out_where_one_is_asked_for(gateway: Gateway) -> None:
    gateway.configure(method="PUT")
    send("07700 900123", TEXT, "key-1")
    assert gateway.asked[0].method == "PUT"


def test_429_waits_as_long_as_it_is_told(gateway: Gateway) -> None:
    gateway.answer = lambda _: Said(429, {"error": TEXT}, {"Retry-After": "17"})
    error = refused()
    assert (error.permanent, error.retry_after, error.may_have_arrived) == (False, 17.0, False)


def test_503_without_a_time_is_tried_again(gateway: Gateway) -> None:
    gateway.answer = lambda _: Said(503)
    error = refused()
    assert error.permanent is False
    assert error.retry_after


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_refused_message_is_not_tried_again(gateway: Gateway, status: int) -> None:
    gateway.answer = lambda _: Said(status, {"error": f"{TEXT} to +447700900123", "token": TOKEN})
    error = refused()
    assert (error.permanent, error.retry_after) == (True, None)
    assert str(status) in error.reason


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_token_can_be_mended(gateway: Gateway, status: int) -> None:
    gateway.answer = lambda _: Said(status)
    error = refused()
    assert error.permanent is False
    assert "TEXT_GATEWAY_TOKEN" in error.reason


def test_a_failing_gateway_may_have_taken_it(gateway: Gateway) -> None:
    gateway.answer = lambda _: Said(500)
    error = refused()
    assert (error.permanent, error.may_have_arrived) == (False, True)


def test_a_status_that_is_not_named_is_no_success(gateway: Gateway) -> None:
    gateway.configure(statuses=[202])
    gateway.answer = lambda _: Said(200)
    error = refused()
    assert (error.permanent, error.may_have_arrived) == (True, True)
    assert "statuses" in error.reason


def test_a_slow_gateway_is_given_up(gateway: Gateway) -> None:
    def slow(_: Asked) -> Said:
        time.sleep(0.6)
        return Said(202)

    gateway.configure(seconds=0.2)
    gateway.answer = slow
    error = refused()
    assert (error.permanent, error.may_have_arrived) == (False, True)
    assert "did not answer in time" in error.reason


def test_a_lost_line_is_tried_again(gateway: Gateway) -> None:
    gateway.answer = lambda _: HANG_UP
    error = refused()
    assert (error.permanent, error.may_have_arrived) == (False, True)


def test_a_redirect_is_not_followed(gateway: Gateway) -> None:
    gateway.answer = lambda _: Said(307, headers={"Location": "/elsewhere"})
    error = refused()
    assert error.permanent is True
    assert [asked.path for asked in gateway.asked] == ["/v1/messages"]


def test_an_inner_network_that_is_not_named_is_not_called(gateway: Gateway, settings: Settings) -> None:
    settings.OUTBOUND_PRIVATE_NETWORKS = []
    assert refused().permanent is True
    assert gateway.asked == []


def test_no_gateway_no_message(settings: Settings) -> None:
    settings.TEXT_GATEWAY = {}
    assert not is_configured()
    assert "TEXT_GATEWAY" in refused().reason


def test_a_number_that_is_none_does_not_leave(gateway: Gateway) -> None:
    with pytest.raises(TextError) as caught:
        send("someone@parliament.example", TEXT, "key-1")
    assert caught.value.permanent is True
    assert gateway.asked == []

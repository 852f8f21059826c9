"""Matrix: rooms by alias or ID, the same transaction for the same key, and its own codes of errors."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

import pytest
from pytest_django import Settings

from runbooks.notifications.channels import channel, matrix
from runbooks.notifications.channels.base import BadAddressError, ChannelError, Reason
from tests.connectors.served import Asked, Said
from tests.notifications.channels.peers import MESSAGE, PEERS, TOKEN, Place, standing

PEER = next(peer for peer in PEERS if peer.name == "matrix")


@pytest.fixture
def place(settings: Settings) -> Iterator[Place]:
    with standing(PEER, settings) as made:
        yield made


def refused(place: Place, **changes: str) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        place.send(**changes)
    return caught.value


def test_the_key_is_the_transaction_so_that_a_room_shows_it_once(place: Place) -> None:
    place.send()
    place.send()
    first, again = place.asked
    assert (first.method, first.path) == ("PUT", again.path)
    assert unquote(first.path).endswith(f"/rooms/!room:example.org/send/m.room.message/{MESSAGE.key}")
    assert first.headers["Authorization"] == f"Bearer {TOKEN}"


def test_nobody_is_mentioned_and_nothing_is_formatted(place: Place) -> None:
    place.send(body="@room <b>bold</b> [x](https://evil.example) @alice:example.org")
    content = place.asked[0].content
    assert set(content) == {"msgtype", "body", "m.mentions"}
    assert (content["msgtype"], content["m.mentions"]) == ("m.text", {})
    assert "@room" not in content["body"]
    assert "<b>bold</b>" in content["body"]


def test_an_alias_is_looked_up_once_a_line(place: Place) -> None:
    def answer(asked: Asked) -> Said:
        if asked.method == "GET":
            return Said(200, {"room_id": "!found:example.org"})
        return Said(200, {"event_id": "$1"})

    place.answer = answer
    with channel("matrix").line() as line:
        for key in ("1", "2"):
            line.send(replace(place.message(key=key), address="#duty:example.org"))
    assert [asked.method for asked in place.asked] == ["GET", "PUT", "PUT"]
    assert unquote(place.asked[0].path).endswith("/directory/room/#duty:example.org")
    assert "!found:example.org" in unquote(place.asked[1].path)


def test_a_look_up_that_fails_has_sent_nothing(place: Place) -> None:
    place.answer = lambda _: Said(500, {})
    with pytest.raises(ChannelError) as caught, channel("matrix").line() as line:
        line.send(replace(place.message(), address="#duty:example.org"))
    assert (caught.value.reason, caught.value.may_have_arrived) == (Reason.FAULT, False)


@pytest.mark.parametrize(
    ("status", "code", "permanent", "reason"),
    [
        (403, "M_FORBIDDEN", True, Reason.ADDRESS_REFUSED),
        (404, "M_NOT_FOUND", True, Reason.ADDRESS_GONE),
        (401, "M_UNKNOWN_TOKEN", False, Reason.SIGN_IN_REFUSED),
        (413, "M_TOO_LARGE", True, Reason.MESSAGE_REFUSED),
        (400, "M_BAD_JSON", True, Reason.MESSAGE_REFUSED),
        (404, "M_UNRECOGNIZED", False, Reason.NOT_CONFIGURED),
    ],
)
def test_its_codes_say_whose_fault_it_is(place: Place, status: int, code: str, permanent: bool, reason: Reason) -> None:
    place.answer = lambda _: Said(status, {"errcode": code, "error": MESSAGE.body})
    error = refused(place)
    assert (error.permanent, error.reason) == (permanent, reason)
    assert MESSAGE.body.strip() not in str(error)


@pytest.mark.parametrize(("wait", "seconds"), [(2500, 2.5), (10**9, 3600), (-1, None), ("x", None), (None, None)])
def test_a_limit_says_how_long_in_thousandths(place: Place, wait: object, seconds: float | None) -> None:
    place.answer = lambda _: Said(429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": wait})
    error = refused(place)
    assert (error.permanent, error.reason, error.retry_after) == (False, Reason.BUSY, seconds)


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("#duty:Example.org", "example.org"),
        ("!abc:häuser.example", "xn--huser-gra.example"),
        ("!abc:example.org:8448", "example.org"),
        ("!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", "matrix.example"),
    ],
)
def test_a_rooms_server_reads_what_is_said_there(address: str, domain: str, settings: Settings) -> None:
    settings.MATRIX_HOMESERVER = "https://matrix.example"
    assert matrix.clean(address) == address
    assert matrix.domain_of(address) == domain


@pytest.mark.parametrize("written", ["@alice:example.org", "#duty", "!", "#a b:example.org", "!x/../y:example.org?"])
def test_a_person_or_half_a_name_is_no_room(written: str) -> None:
    with pytest.raises(BadAddressError, match="#duty"):
        matrix.clean(written)

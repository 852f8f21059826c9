"""A webhook's signature is checked by what is written here from Standard Webhooks 1.0, not by our own code."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from runbooks.notifications.channels import channel
from runbooks.notifications.channels.base import ChannelError, Reason
from runbooks.outbound.signing import new_secret, signed
from tests.connectors.served import Asked
from tests.notifications.channels.peers import MESSAGE, PEERS, Place, standing

PEER = next(peer for peer in PEERS if peer.name == "webhook")


@pytest.fixture
def place(settings: Settings) -> Iterator[Place]:
    with standing(PEER, settings) as made:
        yield made


def verifies(asked: Asked, secret: str) -> bool:
    key = base64.b64decode(secret[len("whsec_") :])
    content = b".".join([asked.headers[name].encode() for name in ("webhook-id", "webhook-timestamp")] + [asked.body])
    wanted = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return f"v1,{wanted}" in asked.headers["webhook-signature"].split(" ")


def test_whoever_has_the_secret_can_tell_that_the_portal_wrote_it_and_when(place: Place) -> None:
    message = place.message(body="Ŵ 🎉 “£5”\n")
    with channel("webhook").line() as line:
        line.send(message)
    (asked,) = place.asked
    assert verifies(asked, message.secret)
    assert not verifies(asked, new_secret())
    assert not verifies(replace(asked, body=asked.body + b" "), message.secret)
    assert abs(int(asked.headers["webhook-timestamp"]) - time.time()) < 10
    assert asked.headers["webhook-id"] == MESSAGE.key
    assert asked.headers["Content-Type"] == "application/json"


def test_it_says_all_there_is_to_say(place: Place) -> None:
    place.send(is_exercise=True, is_important=True, language="cy")
    assert place.asked[0].content == {
        "version": 1,
        "kind": "notice",
        "id": MESSAGE.key,
        "subject": MESSAGE.subject,
        "body": MESSAGE.body,
        "language": "cy",
        "is_exercise": True,
        "is_important": True,
    }


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!", "whsec_c2hvcnQ="])
def test_without_a_secret_worth_the_name_nothing_is_called(place: Place, secret: str) -> None:
    with pytest.raises(ChannelError) as caught, channel("webhook").line() as line:
        line.send(replace(place.message(), secret=secret))
    assert (caught.value.permanent, caught.value.reason) == (True, Reason.ADDRESS_REFUSED)
    assert place.asked == []


def test_the_signature_is_that_of_the_specifications_own_example() -> None:
    headers = signed(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        datetime.fromtimestamp(1614265330, UTC),
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_make_two_signatures_while_one_takes_over_from_the_other() -> None:
    old, new = new_secret(), new_secret()
    both = signed([new, old], "id", b"{}", datetime.now(UTC))["webhook-signature"].split(" ")
    assert len(set(both)) == 2

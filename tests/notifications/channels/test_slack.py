"""Slack says ok: false with 200, and reads commands in texts: neither is believed."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from runbooks.notifications.channels import slack
from runbooks.notifications.channels.base import BadAddressError, ChannelError, Reason
from tests.connectors.served import Said
from tests.notifications.channels.peers import PEERS, TOKEN, Place, standing

PEER = next(peer for peer in PEERS if peer.name == "slack")


@pytest.fixture
def place(settings: Settings) -> Iterator[Place]:
    with standing(PEER, settings) as made:
        yield made


def test_the_bot_signs_in_and_writes_to_one_member(place: Place) -> None:
    place.send()
    (asked,) = place.asked
    assert (asked.method, asked.path) == ("POST", "/api/chat.postMessage")
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.content["channel"] == "U012AB3CD45"


def test_no_text_calls_anybody_links_anywhere_or_looks_different(place: Place) -> None:
    body = "<!channel> <!everyone|x> <@U012AB> <https://evil.example|portal> @here *bold* & &lt;"
    place.send(body=body)
    content = place.asked[0].content
    assert "<" not in content["text"]
    assert ">" not in content["text"]
    assert "@here" not in content["text"]
    assert "&amp;lt;" in content["text"]
    said = [content[name] for name in ("mrkdwn", "link_names", "unfurl_links", "unfurl_media", "parse")]
    assert said == [False, False, False, False, "none"]


@pytest.mark.parametrize(
    ("error", "permanent", "reason"),
    [
        ("channel_not_found", True, Reason.ADDRESS_GONE),
        ("is_archived", True, Reason.ADDRESS_GONE),
        ("not_in_channel", True, Reason.ADDRESS_REFUSED),
        ("invalid_auth", False, Reason.SIGN_IN_REFUSED),
        ("account_inactive", False, Reason.SIGN_IN_REFUSED),
        ("ratelimited", False, Reason.BUSY),
        ("internal_error", False, Reason.FAULT),
        ("msg_too_long", True, Reason.MESSAGE_REFUSED),
        ("something_new", True, Reason.MESSAGE_REFUSED),
        (None, True, Reason.MESSAGE_REFUSED),
    ],
)
def test_ok_false_is_no_success_though_it_comes_with_200(
    place: Place, error: str | None, permanent: bool, reason: Reason
) -> None:
    place.answer = lambda _: Said(200, {"ok": False, "error": error})
    with pytest.raises(ChannelError) as caught:
        place.send()
    assert (caught.value.permanent, caught.value.reason) == (permanent, reason)
    assert caught.value.may_have_arrived is (reason == Reason.FAULT)


@pytest.mark.parametrize("ok", [None, "true", 1, "yes"])
def test_anything_but_true_is_not_ok(place: Place, ok: object) -> None:
    place.answer = lambda _: Said(200, {"ok": ok})
    with pytest.raises(ChannelError):
        place.send()


def test_an_id_is_known_when_it_is_one() -> None:
    assert slack.clean(" u012ab3cd45 ") == "U012AB3CD45"
    for written in ("@somebody", "#general", "U1", "X012AB3CD45", "U012AB3CD45/../x"):
        with pytest.raises(BadAddressError, match="member ID"):
            slack.clean(written)

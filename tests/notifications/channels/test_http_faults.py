"""The same table of faults for every channel over HTTP: what each means is told in one way."""

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pytest_django import Settings

from runbooks.notifications.channels import channel, http
from runbooks.notifications.channels.base import ChannelError, Reason
from runbooks.outbound import Timeouts
from tests.connectors.served import HANG_UP, Asked, Said
from tests.notifications.channels.peers import MESSAGE, PEERS, Peer, Place, secrets_in, standing


@pytest.fixture(params=PEERS, ids=lambda peer: peer.name)
def place(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(http, "TIMEOUTS", Timeouts(connect=1, read=0.4, total=0.6))
    with standing(request.param, settings) as made:
        if made.peer.name == "gateway":
            settings.TEXT_GATEWAY["seconds"] = 0.4
        yield made


def caught(place: Place) -> ChannelError | None:
    try:
        place.send()
    except ChannelError as error:
        return error
    return None


def refused(place: Place) -> ChannelError:
    error = caught(place)
    assert error is not None, "it was taken for sent"
    assert secrets_in(str(error)) == []
    assert str(error)[-1] == "."
    assert len(str(error)) <= 300, "as the outbox keeps it"
    assert error.of_one_address is place.peer.is_theirs
    return error


def test_a_message_arrives_with_its_text_and_has_the_id_it_was_given(place: Place) -> None:
    provider_id, text_of = place.peer.expected
    assert place.send().provider_id == provider_id
    (asked,) = place.asked
    assert "IR-2026-0001" in text_of(asked)
    assert "now contained" in text_of(asked)


def test_several_messages_go_over_one_line(place: Place) -> None:
    with channel(place.peer.channel).line() as line:
        for number in range(3):
            line.send(place.message(key=f"{number}" * 64))
    assert len(place.asked) == 3


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_message_that_is_refused_is_not_tried_again(place: Place, status: int) -> None:
    place.answer = lambda _: Said(status, {"error": MESSAGE.body})
    error = refused(place)
    assert (error.permanent, error.reason, error.may_have_arrived) == (True, Reason.MESSAGE_REFUSED, False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_sign_in_is_mended_by_the_site_and_a_refused_address_by_its_owner(place: Place, status: int) -> None:
    place.answer = lambda _: Said(status, {"error": "no"})
    error = refused(place)
    reason = Reason.ADDRESS_REFUSED if place.peer.is_theirs else Reason.SIGN_IN_REFUSED
    assert (error.permanent, error.reason) == (place.peer.is_theirs, reason)
    assert place.peer.is_theirs or "Check " in str(error), "which setting to look at"


@pytest.mark.parametrize("status", [404, 410])
def test_an_address_that_is_gone_is_not_tried_again(place: Place, status: int) -> None:
    place.answer = lambda _: Said(status, {"error": "no"})
    error = refused(place)
    if place.peer.is_theirs:
        assert (error.permanent, error.reason) == (True, Reason.ADDRESS_GONE)
    else:
        assert error.reason in {Reason.NOT_CONFIGURED, Reason.MESSAGE_REFUSED}
    assert not error.may_have_arrived


@pytest.mark.parametrize("status", [429, 503])
def test_whoever_asks_to_come_later_says_when_in_seconds_or_as_a_date(place: Place, status: int) -> None:
    place.answer = lambda _: Said(status, {"error": "slow"}, {"Retry-After": "17"})
    error = refused(place)
    assert (error.permanent, error.reason, error.retry_after) == (False, Reason.BUSY, 17.0)
    assert not error.may_have_arrived
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    place.answer = lambda _: Said(status, {"error": "slow"}, {"Retry-After": date})
    assert 50 < (refused(place).retry_after or 0) <= 60


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_server_that_fails_may_have_taken_the_message(place: Place, status: int) -> None:
    place.answer = lambda _: Said(status, {"error": "no"})
    error = refused(place)
    assert (error.permanent, error.reason, error.may_have_arrived) == (False, Reason.FAULT, True)


def test_a_server_that_says_nothing_is_given_up_and_may_have_taken_the_message(place: Place) -> None:
    def wait(_: Asked) -> Said:
        time.sleep(0.9)
        return HANG_UP

    place.answer = wait
    error = refused(place)
    assert (error.permanent, error.reason, error.may_have_arrived) == (False, Reason.TIMED_OUT, True)


def test_a_line_that_breaks_may_have_carried_the_message(place: Place) -> None:
    place.answer = lambda _: HANG_UP
    error = refused(place)
    assert (error.permanent, error.reason, error.may_have_arrived) == (False, Reason.UNREACHABLE, True)


def test_a_redirect_is_not_followed(place: Place) -> None:
    place.answer = lambda _: Said(307, headers={"Location": f"{place.url}/elsewhere"})
    error = refused(place)
    assert len(place.asked) == 1
    assert "redirect" in str(error)
    assert error.may_have_arrived is False
    assert error.permanent is (place.peer.is_theirs or place.peer.name == "gateway")


def test_an_endless_answer_is_cut_off_and_the_message_not_sent_twice(place: Place) -> None:
    place.answer = lambda _: Said(200, b"x" * 600_000)
    error = refused(place)
    assert (error.permanent, error.may_have_arrived) == (True, True)


def test_an_answer_in_another_language_is_no_success_where_one_is_expected(place: Place) -> None:
    place.answer = lambda _: Said(200, b"<html>Welcome to the proxy</html>")
    if not place.peer.reads:
        place.send()
        return
    error = refused(place)
    assert (error.permanent, error.reason, error.may_have_arrived) == (False, Reason.FAULT, True)


@pytest.mark.parametrize("content", [[], "ok", None, 1, {}])
def test_no_answer_makes_a_channel_fall_over(place: Place, content: object) -> None:
    for status in (200, 400, 403, 429, 500):
        place.answer = lambda _, status=status: Said(status, content)
        error = caught(place)
        assert error is None or secrets_in(str(error)) == []


def test_an_inner_address_is_not_called(place: Place, settings: Settings) -> None:
    settings.NOTICE_PRIVATE_NETWORKS = []
    if not place.peer.is_theirs:
        settings.OUTBOUND_PRIVATE_NETWORKS = []
    error = refused(place)
    assert place.asked == []
    assert not error.may_have_arrived
    assert "not a public address" in str(error)


def test_nothing_secret_is_logged(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        place.send()
        place.answer = lambda _: Said(500, {"error": "no"})
        refused(place)
    assert secrets_in(caplog.text) == []


def test_colleagues_see_which_address_it_was_and_cannot_use_it(place: Place) -> None:
    by = channel(place.peer.channel)
    assert by.clean(place.address) == place.address
    assert secrets_in(by.shown(place.address)) == []


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_server_that_is_not_there_took_nothing(peer: Peer, settings: Settings) -> None:
    with standing(peer, settings) as place:
        pass
    error = refused(place)
    assert (error.permanent, error.reason, error.may_have_arrived) == (False, Reason.UNREACHABLE, False)
    assert error.is_of_the_channel is not peer.is_theirs

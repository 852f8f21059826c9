"""Twilio: texts and calls, what is asked of it, and what its codes of errors mean."""

import base64
from collections.abc import Iterator
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest
from pytest_django import Settings

from runbooks.notifications.channels import text, voice
from runbooks.notifications.channels.base import BadAddressError, ChannelError, Reason
from tests.connectors.served import Said
from tests.notifications.channels.peers import ACCOUNT, PEERS, TOKEN, Place, standing

CALL_BACK = "https://portal.example/hooks/notices/twilio/a:b:c/?x=1&y=2"


@pytest.fixture(params=["twilio", "calls"])
def place(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Place]:
    with standing(next(peer for peer in PEERS if peer.name == request.param), settings) as made:
        yield made


@pytest.fixture
def calls(settings: Settings) -> Iterator[Place]:
    with standing(next(peer for peer in PEERS if peer.name == "calls"), settings) as made:
        yield made


@pytest.fixture
def texts(settings: Settings) -> Iterator[Place]:
    with standing(next(peer for peer in PEERS if peer.name == "twilio"), settings) as made:
        yield made


def form_of(place: Place) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(place.asked[-1].body.decode()).items()}


def test_the_account_signs_in_and_says_where_to_call_back(place: Place) -> None:
    place.send(call_back=CALL_BACK)
    (asked,) = place.asked
    kind = "Messages" if place.peer.channel == "text" else "Calls"
    assert (asked.method, asked.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/{kind}.json")
    name, _, password = base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode().partition(":")
    assert (name, password) == (ACCOUNT, TOKEN)
    form = form_of(place)
    assert (form["To"], form["From"], form["StatusCallback"]) == (place.address, "+447700900999", CALL_BACK)
    place.send()
    assert "StatusCallback" not in form_of(place)


@pytest.mark.parametrize(
    ("status", "code", "permanent", "reason"),
    [
        (400, 21211, True, Reason.ADDRESS_REFUSED),
        (400, 21610, True, Reason.ADDRESS_REFUSED),
        (400, 21614, True, Reason.ADDRESS_REFUSED),
        (400, 21408, True, Reason.ADDRESS_REFUSED),
        (400, 21606, False, Reason.NOT_CONFIGURED),
        (400, 21617, True, Reason.MESSAGE_REFUSED),
        (401, 20003, False, Reason.SIGN_IN_REFUSED),
        (403, 20005, False, Reason.SIGN_IN_REFUSED),
        (429, 20429, False, Reason.BUSY),
        (400, "x", True, Reason.MESSAGE_REFUSED),
    ],
)
def test_its_codes_say_whose_fault_it_is(
    place: Place, status: int, code: object, permanent: bool, reason: Reason
) -> None:
    place.answer = lambda _: Said(status, {"code": code, "message": f"No: {place.address}", "status": status})
    with pytest.raises(ChannelError) as caught:
        place.send()
    assert (caught.value.permanent, caught.value.reason) == (permanent, reason)
    assert place.address not in str(caught.value)
    assert not caught.value.may_have_arrived


@pytest.mark.parametrize("status", ["failed", "undelivered", "canceled"])
def test_what_it_has_taken_and_given_up_at_once_is_no_success(place: Place, status: str) -> None:
    place.answer = lambda _: Said(201, {"sid": "X", "status": status, "error_code": 30005})
    with pytest.raises(ChannelError) as caught:
        place.send()
    assert caught.value.permanent


def test_a_text_is_short_and_sent_by_a_service_where_one_is_named(texts: Place, settings: Settings) -> None:
    settings.TWILIO = {**settings.TWILIO, "from": "MG" + "0" * 32}
    texts.send(body="x" * 900)
    form = form_of(texts)
    assert form["MessagingServiceSid"] == "MG" + "0" * 32
    assert "From" not in form
    assert len(form["Body"]) == text.MOST_CHARACTERS


def test_texts_go_to_mobiles_only_and_calls_to_any_telephone() -> None:
    assert text.clean("07700 900123") == voice.clean("+44 (0)7700 900123") == "+447700900123"
    assert voice.clean("020 7946 0100") == "+442079460100"
    with pytest.raises(BadAddressError, match="mobile"):
        text.clean("020 7946 0100")


# What a call says


def spoken(place: Place) -> ElementTree.Element:
    return ElementTree.fromstring(form_of(place)["Twiml"])


def test_a_call_says_the_text_twice_and_asks_for_a_one(calls: Place) -> None:
    calls.send(call_back=CALL_BACK)
    response = spoken(calls)
    (gather,) = response
    assert gather.tag == "Gather"
    assert (gather.get("action"), gather.get("numDigits"), gather.get("method")) == (CALL_BACK, "1", "POST")
    said = [element.text for element in gather if element.tag == "Say"]
    assert said == ["IR-2026-0001 is now contained."] * 2 + ["Press 1 to say that you have heard it."]


def test_a_portal_that_cannot_be_called_asks_for_nothing(calls: Place) -> None:
    calls.send()
    assert [element.tag for element in spoken(calls)] == ["Say", "Pause", "Say"]


@pytest.mark.parametrize(("language", "name", "voice"), [("en-gb", "en-GB", "Amy"), ("cy", "cy-GB", "Gwyneth")])
def test_a_call_speaks_the_language_of_who_is_called(calls: Place, language: str, name: str, voice: str) -> None:
    calls.send(language=language, call_back=CALL_BACK)
    for element in spoken(calls).iter("Say"):
        assert (element.get("language"), element.get("voice")) == (name, f"Polly.{voice}")


@pytest.mark.parametrize(
    "body", ['</Say><Dial>+44900</Dial><Say>"', "a & b <!-- ", "\x00\x08]]>", "&#60;Hangup/>", "ŵ 🎉 \ud800"]
)
def test_no_text_leaves_its_place_in_a_call(calls: Place, body: str) -> None:
    calls.send(body=body, call_back='https://x.example/"><Hangup/>')
    (gather,) = spoken(calls)
    assert {element.tag for element in gather} == {"Say", "Pause"}
    assert gather.get("action") == 'https://x.example/"><Hangup/>'


def test_a_long_text_fits_into_what_a_call_may_say(calls: Place) -> None:
    calls.send(body="&" * 3000, call_back=CALL_BACK)
    assert len(form_of(calls)["Twiml"]) < 4000 * 2


def test_without_an_account_nothing_is_asked(calls: Place, settings: Settings) -> None:
    settings.TWILIO = {}
    with pytest.raises(ChannelError) as caught:
        calls.send()
    assert (caught.value.permanent, caught.value.reason) == (False, Reason.NOT_CONFIGURED)
    assert calls.asked == []

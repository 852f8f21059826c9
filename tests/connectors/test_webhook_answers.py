"""Answers that come later, from somebody who must prove who they are."""

import hmac
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from runbooks.connectors.base import AccountRef, ActionResult, Outcome
from runbooks.connectors.webhook import NoReceiverError, read_answer
from runbooks.connectors.webhook.messages import Answer, ForgedAnswerError, MalformedAnswerError
from tests.connectors.receiver import SECRET

NOW = datetime(2017, 6, 23, 20, 0, tzinfo=UTC)
GOOD = {"id": "k1", "results": [{"login": "anna.berg", "outcome": "ok", "before": {"locked": ["false"]}}]}


@pytest.fixture(autouse=True)
def hook(hook_of: Any) -> None:
    hook_of()


def headers(body: bytes, *, at: datetime = NOW, secret: str = SECRET) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, sha256).hexdigest()
    return {"X-IR-Portal-Timestamp": timestamp, "X-IR-Portal-Signature": f"v1={digest}"}


def answer(content: Any) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_answer("hook", headers(body), body, NOW)


def test_an_answer_tells_its_request_and_each_account() -> None:
    expected = ActionResult(AccountRef("anna.berg"), Outcome.OK, {"locked": ["false"]})
    assert answer(GOOD) == Answer("k1", (expected,))


def test_names_of_headers_have_no_case() -> None:
    body = json.dumps(GOOD).encode()
    given = {name.upper(): value for name, value in headers(body).items()}
    assert read_answer("hook", given, body, NOW).key == "k1"


@pytest.mark.parametrize("minutes", [-4.9, 0, 4.9])
def test_an_answer_of_the_last_five_minutes_is_taken(minutes: float) -> None:
    body = json.dumps(GOOD).encode()
    assert read_answer("hook", headers(body, at=NOW + timedelta(minutes=minutes)), body, NOW).key == "k1"


@pytest.mark.parametrize("minutes", [-5.1, 5.1, -60 * 24])
def test_an_older_answer_or_one_from_the_future_is_not(minutes: float) -> None:
    body = json.dumps(GOOD).encode()
    with pytest.raises(ForgedAnswerError, match="last 300 seconds") as old:
        read_answer("hook", headers(body, at=NOW + timedelta(minutes=minutes)), body, NOW)
    assert old.value.status == 403


@pytest.mark.parametrize(
    "change",
    [
        {"X-IR-Portal-Signature": "v1=" + "0" * 64},
        {"X-IR-Portal-Signature": ""},
        {"X-IR-Portal-Signature": "v1=é\ud800"},
        {"X-IR-Portal-Timestamp": str(int(NOW.timestamp()) + 1)},
        {"X-IR-Portal-Timestamp": ""},
    ],
)
def test_a_signature_that_does_not_hold_is_refused(change: dict[str, str]) -> None:
    body = json.dumps(GOOD).encode()
    with pytest.raises(ForgedAnswerError, match="does not hold"):
        read_answer("hook", headers(body) | change, body, NOW)


def test_a_body_that_was_changed_is_refused() -> None:
    body = json.dumps(GOOD).encode()
    with pytest.raises(ForgedAnswerError):
        read_answer("hook", headers(body), body.replace(b"ok", b"already"), NOW)


def test_another_secret_is_refused() -> None:
    body = json.dumps(GOOD).encode()
    with pytest.raises(ForgedAnswerError):
        read_answer("hook", headers(body, secret="another secret of 32 characters or so"), body, NOW)


@pytest.mark.parametrize("timestamp", ["soon", "-1", "1.5", "²", "9" * 400])
def test_a_time_that_is_none_is_refused_even_when_it_is_signed(timestamp: str) -> None:
    body = json.dumps(GOOD).encode()
    digest = hmac.new(SECRET.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()
    given = {"X-IR-Portal-Timestamp": timestamp, "X-IR-Portal-Signature": f"v1={digest}"}
    with pytest.raises(ForgedAnswerError):
        read_answer("hook", given, body, NOW)


def test_a_request_of_the_portals_own_sent_back_is_no_answer() -> None:
    with pytest.raises(MalformedAnswerError):
        answer({"id": "k1", "action": "lock_account", "accounts": [{"login": "anna.berg"}]})


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"not json", b"\xff", b"[" * 100_000, [], {}, {"id": "k1"}, {"results": []}),
        *({"id": 1, "results": []}, {"id": "", "results": []}, {"id": "k\x00", "results": []}),
        *({"id": "k1", "results": [{"login": "anna.berg", "outcome": word}]} for word in ("pending", "fine", None)),
        {"id": "k1", "results": [{"login": "anna\ud800", "outcome": "ok"}]},
    ],
)
def test_an_answer_of_another_shape_is_refused_as_such(content: Any) -> None:
    with pytest.raises(MalformedAnswerError) as wrong:
        answer(content)
    assert wrong.value.status == 400


@pytest.mark.parametrize("name", ["nobody", "people", "exercise", ""])
def test_where_no_receiver_is_nothing_is_told(name: str) -> None:
    body = json.dumps(GOOD).encode()
    with pytest.raises(NoReceiverError) as absent:
        read_answer(name, headers(body), body, NOW)
    assert absent.value.status == 404
    assert str(absent.value) == "No answer is expected here."


def test_a_receiver_without_its_secret_looks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONNECTION_HOOK_SECRET")
    with pytest.raises(NoReceiverError):
        answer(GOOD)

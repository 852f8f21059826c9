"""Mail through a provider's API: what it answers means the same as what a mail server says."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from pytest_django import Settings

from runbooks.notifications.channels import email
from runbooks.notifications.channels.base import ChannelError, Message, Reason
from tests.notifications.channels.peers import MESSAGE

KEY = "a-key-of-the-providers"
TAKEN = {"ErrorCode": 0, "Message": "OK", "MessageID": "m-1", "To": "a@responders.example", "SubmittedAt": "x"}


class Provider:
    """Postmark, which answers what a test says."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: Callable[[], requests.Response] = lambda: answered(200, TAKEN)

    def request(self, session: Any, method: str, url: str, **options: Any) -> requests.Response:
        self.asked.append({"method": method, "url": url, **options})
        return self.answer()


def answered(status: int, content: Any, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code, response.reason, response.url = status, "x", "https://api.postmarkapp.com/email"
    response._content = requests.compat.json.dumps(content).encode()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


@pytest.fixture
def provider(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Provider:
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    settings.ANYMAIL = {"POSTMARK_SERVER_TOKEN": KEY}
    made = Provider()
    monkeypatch.setattr(requests.Session, "request", lambda *given, **options: made.request(*given, **options))
    return made


def message() -> Message:
    return Message("a@responders.example", MESSAGE.subject, MESSAGE.body, MESSAGE.key, is_exercise=True)


def refused() -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        email.send(message())
    assert KEY not in str(caught.value)
    assert MESSAGE.body.strip() not in str(caught.value)
    return caught.value


def test_the_provider_gets_the_mail_and_gives_its_own_id(provider: Provider) -> None:
    assert email.send(message()).provider_id == "m-1"
    (asked,) = provider.asked
    sent = requests.compat.json.loads(asked["data"])
    assert (sent["To"], sent["Subject"], sent["TextBody"]) == ("a@responders.example", MESSAGE.subject, MESSAGE.body)
    headers = {header["Name"]: header["Value"] for header in sent["Headers"]}
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["X-IR-Portal-Exercise"] == "yes"
    assert headers["Message-ID"].startswith("<")


def test_several_mails_go_over_one_line(provider: Provider) -> None:
    with email.line() as line:
        for _ in range(3):
            line.send(message())
    assert len(provider.asked) == 3


@pytest.mark.parametrize(
    ("status", "content", "permanent", "reason", "late"),
    [
        (401, {"ErrorCode": 10}, False, Reason.SIGN_IN_REFUSED, False),
        (422, {"ErrorCode": 300, "Message": MESSAGE.body}, True, Reason.MESSAGE_REFUSED, False),
        (422, {"ErrorCode": 406, "Message": "inactive"}, True, Reason.ADDRESS_REFUSED, False),
        (503, {}, False, Reason.BUSY, False),
        (500, {}, False, Reason.FAULT, True),
    ],
)
def test_its_answers_are_told_apart(
    provider: Provider, status: int, content: Any, permanent: bool, reason: Reason, late: bool
) -> None:
    provider.answer = lambda: answered(status, content)
    error = refused()
    assert (error.permanent, error.reason, error.may_have_arrived) == (permanent, reason, late)
    assert len(provider.asked) == 1


def test_it_says_when_to_come_again(provider: Provider) -> None:
    provider.answer = lambda: answered(429, {}, Retry_After="17")
    error = refused()
    assert (error.reason, error.retry_after) == (Reason.BUSY, 17.0)


@pytest.mark.parametrize(
    ("raised", "reason", "late"),
    [
        (requests.ConnectTimeout("x"), Reason.TIMED_OUT, False),
        (requests.ReadTimeout("x"), Reason.TIMED_OUT, True),
        (requests.ConnectionError("x"), Reason.UNREACHABLE, True),
        (requests.exceptions.SSLError("x"), Reason.UNREACHABLE, False),
    ],
)
def test_a_line_that_breaks_may_have_carried_it_once_it_stood(
    provider: Provider, raised: Exception, reason: Reason, late: bool
) -> None:
    def broken() -> requests.Response:
        raise raised

    provider.answer = broken
    error = refused()
    assert (error.permanent, error.reason, error.may_have_arrived) == (False, reason, late)
    assert error.is_of_the_channel


def test_a_refusal_on_a_line_that_has_carried_others_is_not_tried_twice(provider: Provider) -> None:
    with email.line() as line:
        line.send(message())
        provider.answer = lambda: answered(401, {"ErrorCode": 10})
        with pytest.raises(ChannelError):
            line.send(message())
    assert len(provider.asked) == 2


def test_a_provider_that_is_not_set_up_says_which_setting_is_missing(provider: Provider, settings: Settings) -> None:
    settings.ANYMAIL = {}
    error = refused()
    assert (error.permanent, error.reason) == (False, Reason.NOT_CONFIGURED)
    assert "POSTMARK_SERVER_TOKEN" in str(error)

"""Twilio's API, which carries text messages and telephone calls."""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from django.conf import settings

from runbooks.notifications.channels.base import ChannelError, Line, Message, Reason, Sent
from runbooks.notifications.channels.http import Caller, calling

MEND: Final = "Check TWILIO_ACCOUNT and TWILIO_TOKEN."
# Its error codes, of which each has a page: https://www.twilio.com/docs/api/errors/21211
NO_NUMBER: Final = frozenset({13223, 13224, 21211, 21214, 21217, 21401, 21421, 21604, 21612, 21614})
NOT_ALLOWED: Final = frozenset({13225, 13227, 21215, 21216, 21219, 21408, 21608})
NO_SENDER: Final = frozenset({21210, 21212, 21213, 21601, 21603, 21606, 21659, 21660, 21703})
STOPPED, BAD_SIGN_IN, TOO_MANY = 21610, 20003, frozenset({20429, 21611, 14107})


@dataclass(frozen=True, slots=True)
class TwilioLine:
    """`resource` is Messages or Calls."""

    caller: Caller
    resource: str
    form_of: Callable[[Message], Mapping[str, str]]

    def send(self, message: Message) -> Sent:
        url = f"{settings.TWILIO['url']}/2010-04-01/Accounts/{settings.TWILIO['account']}/{self.resource}.json"
        form = dict(self.form_of(message))
        if message.call_back:
            form["StatusCallback"] = message.call_back
        answer = self.caller.call(url, data=form, taken=frozenset({400, 401, 403, 429}))
        if answer.status_code >= 400:
            raise self._refused(answer)
        content = self.caller.content_of(answer)
        if content.get("status") in {"failed", "undelivered", "canceled"}:
            raise self._of_code(_number(content.get("error_code")), answer)
        return Sent(str(content.get("sid") or ""))

    def _refused(self, answer: httpx.Response) -> ChannelError:
        try:
            content = self.caller.content_of(answer)
        except ChannelError:
            return self.caller.refused(answer)
        return self._of_code(_number(content.get("code")), answer)

    def _of_code(self, code: int, answer: httpx.Response) -> ChannelError:
        fault = self.caller.fault
        if code == STOPPED:
            words = "Whoever has this number has asked for no more messages, by answering STOP"
            return fault(f"{words} ({code}).", Reason.ADDRESS_REFUSED, permanent=True)
        if code in NO_NUMBER:
            return fault(f"Twilio cannot reach this number ({code}).", Reason.ADDRESS_REFUSED, permanent=True)
        if code in NOT_ALLOWED:
            words = "The portal’s account at Twilio may not reach this number or its country"
            return fault(f"{words} ({code}).", Reason.ADDRESS_REFUSED, permanent=True)
        if code in NO_SENDER:
            words = f"Twilio refuses the portal’s own number ({code}). Check TWILIO_FROM and TWILIO_VOICE_FROM."
            return fault(words, Reason.NOT_CONFIGURED)
        if code == BAD_SIGN_IN:
            return fault(f"Twilio refuses the portal’s own sign-in ({code}). {MEND}", Reason.SIGN_IN_REFUSED)
        if code in TOO_MANY:
            return fault(f"Twilio asks to come later ({code}).", Reason.BUSY)
        if answer.status_code >= 400:
            return self.caller.refused(answer)
        return fault(f"Twilio did not take the message ({code}).", Reason.MESSAGE_REFUSED, permanent=True)


@contextmanager
def line(resource: str, form_of: Callable[[Message], Mapping[str, str]]) -> Iterator[Line]:
    account = settings.TWILIO
    if not account:
        words = "No account at Twilio is set up. Set TWILIO_ACCOUNT."
        raise ChannelError(words, permanent=False, reason=Reason.NOT_CONFIGURED)
    pair = base64.b64encode(f"{account['account']}:{account['token']}".encode()).decode()
    with calling(mend=MEND, headers={"Authorization": f"Basic {pair}"}) as caller:
        yield TwilioLine(caller, resource, form_of)


def _number(code: Any) -> int:
    return int(code) if str(code).isdecimal() else 0

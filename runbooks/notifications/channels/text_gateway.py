"""Text messages through the HTTP gateway of the setting TEXT_GATEWAY, which may be anybody's.

What the gateway answers is never quoted, for it may repeat the message.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from django.conf import settings

from runbooks import outbound
from runbooks.notifications.channels.base import Reason
from runbooks.notifications.channels.telephones import NumberError, e164
from runbooks.outbound import OutboundError, Timeouts

AGAIN_SECONDS: Final = 30.0
MOST_ANSWER_BYTES: Final = 64 * 1024
NOT_NOW: Final = frozenset({408, 425, 429, 503})
OWN_SIGN_IN: Final = frozenset({401, 403, 407})
PLACE: Final = re.compile(r"\{(number|digits|text|token|key)\}")


class TextError(Exception):
    """No message was taken, and why. A permanent one is not tried again; `retry_after` is in seconds.

    `may_have_arrived`: whether it was taken is not known; sent again, with the same key, it may arrive twice. `code` is
    the reason for machines.
    """

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool,
        retry_after: float | None = None,
        may_have_arrived: bool = False,
        code: Reason = Reason.FAULT,
    ) -> None:
        super().__init__(reason)
        self.reason, self.permanent, self.code = reason, permanent, code
        self.retry_after, self.may_have_arrived = retry_after, may_have_arrived


def is_configured() -> bool:
    return bool(settings.TEXT_GATEWAY)


def send(number: str, text: str, key: str) -> None:
    """Hand one message to the gateway. Raises TextError. Never called inside a transaction.

    `number` as it was written down; `key` is the same whenever the same message is tried again.
    """
    gateway: Mapping[str, Any] = settings.TEXT_GATEWAY
    if not gateway:
        sentence = "No text gateway is configured. Set TEXT_GATEWAY."
        raise TextError(sentence, permanent=True, code=Reason.NOT_CONFIGURED)
    try:
        full = e164(number, gateway["country"])
    except NumberError as error:
        raise TextError(str(error), permanent=True, code=Reason.ADDRESS_REFUSED) from error
    known = {"number": full, "digits": full[1:], "text": text, "token": gateway["token"], "key": key}
    content, kind = _body(gateway, known)
    headers = {"Content-Type": kind, "Idempotency-Key": key, **_filled(gateway["headers"], known)}
    seconds = gateway["seconds"]
    try:
        with outbound.client(
            headers=headers,
            ca_file=gateway["ca_file"],
            timeout=Timeouts(read=seconds, total=seconds),
            most_bytes=MOST_ANSWER_BYTES,
        ) as client:
            response = client.request(gateway["method"], gateway["url"], content=content)
    except OutboundError as error:
        raise _from_outbound(error) from error
    if response.status_code not in gateway["statuses"]:
        raise _refused(response)


def _body(gateway: Mapping[str, Any], known: Mapping[str, str]) -> tuple[bytes, str]:
    """The body and its kind. Values are put into the structure, which is written out afterwards: none can leave it."""
    filled = _filled(gateway["body"], known)
    if gateway["format"] == "form":
        return urlencode(filled).encode(), "application/x-www-form-urlencoded"
    return json.dumps(filled).encode(), "application/json"


def _filled(template: Any, known: Mapping[str, str]) -> Any:
    """The template with its places filled, each once: what was put in is not looked at again."""
    if isinstance(template, str):
        return PLACE.sub(lambda place: known[place[1]], template)
    if isinstance(template, Mapping):
        return {name: _filled(value, known) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, known) for value in template]
    return template


def _refused(response: httpx.Response) -> TextError:
    host, status = response.request.url.host, response.status_code
    if status in NOT_NOW:
        wait = outbound.retry_after(response, datetime.now(UTC))
        reason = f"{host} asks to come later ({status})."
        wait = AGAIN_SECONDS if wait is None else wait
        return TextError(reason, permanent=False, retry_after=wait, code=Reason.BUSY)
    if status in OWN_SIGN_IN:
        # Not the message's fault: it goes out once somebody has mended TEXT_GATEWAY_TOKEN.
        reason = f"{host} refuses the portal's own sign-in ({status}). Check TEXT_GATEWAY_TOKEN."
        return TextError(reason, permanent=False, retry_after=AGAIN_SECONDS, code=Reason.SIGN_IN_REFUSED)
    if status >= 500:
        reason = f"{host} fails ({status})."
        return TextError(reason, permanent=False, retry_after=AGAIN_SECONDS, may_have_arrived=True)
    if status >= 400:
        reason = f"{host} refuses the message ({status})."
        return TextError(reason, permanent=True, code=Reason.MESSAGE_REFUSED)
    reason = f"{host} answers {status}, which TEXT_GATEWAY does not name among its statuses."
    return TextError(reason, permanent=True, may_have_arrived=True)


def _from_outbound(error: OutboundError) -> TextError:
    wait = None if error.permanent else error.retry_after or AGAIN_SECONDS
    code = Reason.TIMED_OUT if error.is_timeout else Reason.FAULT if error.permanent else Reason.UNREACHABLE
    late = error.may_have_arrived
    return TextError(str(error), permanent=error.permanent, retry_after=wait, may_have_arrived=late, code=code)

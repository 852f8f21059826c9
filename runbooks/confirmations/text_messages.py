"""Text messages to holders, through the HTTP gateway of the setting TEXT_GATEWAY.

A message holds a code and no link: the page's address is written so that a phone makes none of it. What the gateway
answers is never quoted, for it may repeat the message.
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
from runbooks.confirmations.letters import Sender
from runbooks.confirmations.letters.contents import Language
from runbooks.confirmations.letters.wording import soon, texts
from runbooks.outbound import OutboundError, Timeouts

AGAIN_SECONDS: Final = 30.0
MOST_ANSWER_BYTES: Final = 64 * 1024
NOT_NOW: Final = frozenset({408, 425, 429, 503})
OWN_SIGN_IN: Final = frozenset({401, 403, 407})
PLACE: Final = re.compile(r"\{(number|digits|text|token|key)\}")

# GSM 03.38: the characters of one septet, and those of two.
SEPTETS: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
TWO_SEPTETS: Final = frozenset("\f^{}\\[~]|€")

INTERNATIONAL: Final = re.compile(r"\s*(\+|00)")
WRITTEN: Final = re.compile(r"(?:\+|00)?[0-9]+")
BETWEEN_DIGITS: Final = re.compile(r"[\s().\-/\u2010-\u2015\u00a0]")
E164: Final = re.compile(r"\+[1-9][0-9]{7,14}")


class TextError(Exception):
    """No message was taken, and why. A permanent one is not tried again; `retry_after` is in seconds.

    `may_have_arrived`: whether it was taken is not known; sent again, with the same key, it may arrive twice.
    """

    def __init__(
        self, reason: str, *, permanent: bool, retry_after: float | None = None, may_have_arrived: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.permanent = reason, permanent
        self.retry_after, self.may_have_arrived = retry_after, may_have_arrived


def is_configured() -> bool:
    return bool(settings.TEXT_GATEWAY)


def send(number: str, text: str, key: str) -> None:
    """Hand one message to the gateway. Raises TextError. Never called inside a transaction.

    `number` as it was written down; `key` is the same whenever the same message is tried again.
    """
    gateway: Mapping[str, Any] = settings.TEXT_GATEWAY
    if not gateway:
        raise TextError("No text gateway is configured. Set TEXT_GATEWAY.", permanent=True)
    full = e164(number, gateway["country"])
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
        return TextError(reason, permanent=False, retry_after=AGAIN_SECONDS if wait is None else wait)
    if status in OWN_SIGN_IN:
        # Not the message's fault: it goes out once somebody has mended TEXT_GATEWAY_TOKEN.
        reason = f"{host} refuses the portal's own sign-in ({status}). Check TEXT_GATEWAY_TOKEN."
        return TextError(reason, permanent=False, retry_after=AGAIN_SECONDS)
    if status >= 500:
        reason = f"{host} fails ({status})."
        return TextError(reason, permanent=False, retry_after=AGAIN_SECONDS, may_have_arrived=True)
    if status >= 400:
        return TextError(f"{host} refuses the message ({status}).", permanent=True)
    reason = f"{host} answers {status}, which TEXT_GATEWAY does not name among its statuses."
    return TextError(reason, permanent=True, may_have_arrived=True)


def _from_outbound(error: OutboundError) -> TextError:
    wait = None if error.permanent else error.retry_after or AGAIN_SECONDS
    return TextError(str(error), permanent=error.permanent, retry_after=wait, may_have_arrived=error.may_have_arrived)


def message(
    code: str, expires_at: datetime, *, sender: Sender, language: Language = "en-gb", is_exercise: bool = False
) -> str:
    """What the holder reads; `code` as two groups."""
    words = texts(language)["text_message"]
    said: str = words["said"].format(
        institution=sender.institution,
        address=tamed(sender.writing(language).address),
        code=code,
        expires=soon(expires_at, sender.zone, language),
    )
    return f"{words['exercise']}{said}" if is_exercise else said


def tamed(address: str) -> str:
    """An address that no phone turns into a link: "portal .parliament .example /confirm"."""
    return re.sub(r"[.:/]", r" \g<0>", address)


def parts(text: str) -> int:
    """In how many parts a message travels: of 160 septets, or 153 of many; 70 or 67 where a character is not GSM's."""
    if set(text) <= SEPTETS | TWO_SEPTETS:
        length, one, many = len(text) + sum(mark in TWO_SEPTETS for mark in text), 160, 153
    else:
        length, one, many = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= one else -(-length // many)


def e164(written: str, country: str = "44") -> str:
    """A telephone number as +447700900123. Raises TextError where it cannot be one.

    `country` is the calling code of numbers that begin with a nought. The number is not repeated in the error.
    """
    digits = BETWEEN_DIGITS.sub("", written.replace("(0)", "") if INTERNATIONAL.match(written) else written)
    if not WRITTEN.fullmatch(digits):
        raise TextError("The telephone number is not written in digits.", permanent=True)
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    elif digits.startswith("0"):
        digits = f"+{country}{digits[1:]}"
    if digits.startswith("+440"):  # the nought of numbers at home, left in by mistake
        digits = f"+44{digits[4:]}"
    if not E164.fullmatch(digits):
        raise TextError("The telephone number is not whole. Write it as +44 7700 900123.", permanent=True)
    return digits


def written(number: str) -> str:
    """A number from `e164` as people read it: a mobile of the UK as 07700 900123, any other as it stands."""
    is_uk_mobile = number.startswith("+447") and len(number) == 13
    return f"0{number[3:7]} {number[7:]}" if is_uk_mobile else number


def takes_texts(number: str) -> bool:
    """Whether texts arrive at a number from `e164`, as far as it tells: in the UK only at mobiles."""
    if not number.startswith("+44"):
        return True
    is_pager_or_personal = number.startswith(("+4470", "+4476")) and not number.startswith("+447624")
    return number.startswith("+447") and len(number) == 13 and not is_pager_or_personal

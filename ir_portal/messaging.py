"""Readers of the settings by which notices leave: docs/channels.md. Nonsense stops the start, as in environment.py."""

import json
import os
import re
from email.utils import parseaddr
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from ir_portal import environment
from runbooks.notifications.channels import CHANNELS

# To connect, and to answer: both together are less than what a worker keeps for one message.
ANYMAIL_SECONDS: Final = 15
NUMBER: Final = re.compile(r"\+[1-9][0-9]{7,14}")
SERVICE: Final = re.compile(r"MG[0-9a-f]{32}")
SENDER: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")


def mail_backend(name: str, default: str) -> str:
    """Where a class of Django's for mail lies, such as anymail.backends.mailgun.EmailBackend."""
    value = environment.text(name, default) or default
    module = value.rpartition(".")[0]
    try:
        is_there = bool(module) and find_spec(module) is not None
    except ModuleNotFoundError:
        is_there = False
    if not is_there:
        raise ImproperlyConfigured(f"{name} is {value!r}, and there is no such module. Look into docs/channels.md.")
    return value


def sender(name: str, default: str) -> str:
    """Who mail is from, as a name with an address, or an address alone."""
    value = environment.text(name, default) or default
    _, address = parseaddr(value)
    if not value.isprintable() or "@" not in address.strip("@"):
        raise ImproperlyConfigured(f"{name} is {value!r}. Write it as IR Portal <ir-portal@example.org>.")
    return value


def anymail() -> dict[str, Any]:
    """Every ANYMAIL_NAME, or what the file ANYMAIL_NAME_FILE holds, as the option NAME."""
    names = {name.removesuffix("_FILE") for name in os.environ if name.startswith("ANYMAIL_")}
    options = {name.removeprefix("ANYMAIL_"): _option(name) for name in sorted(names)}
    return {"REQUESTS_TIMEOUT": ANYMAIL_SECONDS, **options}


def _option(name: str) -> Any:
    """Objects and lists are JSON, seconds are numbers; anything else is a text, a key of figures alone included."""
    value = environment.text(name)
    if name.endswith("_TIMEOUT"):
        return environment.integer(name, ANYMAIL_SECONDS)
    if value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if value[:1] not in {"{", "["}:
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not JSON: {error}.") from None


def twilio() -> dict[str, str]:
    """Empty where TWILIO_ACCOUNT is not set."""
    account, token = environment.text("TWILIO_ACCOUNT"), environment.text("TWILIO_TOKEN")
    if not account:
        return {}
    sender = environment.text("TWILIO_FROM")
    caller = environment.text("TWILIO_VOICE_FROM") or (sender if NUMBER.fullmatch(sender) else "")
    rules = {
        "TWILIO_TOKEN is not set. It belongs to TWILIO_ACCOUNT.": bool(token),
        "TWILIO_ACCOUNT must be the account's id, which begins with AC.": bool(
            re.fullmatch(r"AC[0-9a-f]{32}", account)
        ),
        "TWILIO_FROM must be a number such as +447700900123, a sender's name of up to 11 letters, or an id that begins "
        "with MG.": any(kind.fullmatch(sender) for kind in (NUMBER, SERVICE, SENDER)),
        "TWILIO_VOICE_FROM must be a number such as +442079460100.": not caller or bool(NUMBER.fullmatch(caller)),
    }
    for fault, holds in rules.items():
        if not holds:
            raise ImproperlyConfigured(fault)
    url = address("TWILIO_URL", "https://api.twilio.com")
    return {"account": account, "token": token, "from": sender, "voice_from": caller, "url": url}


def text_provider(gateway: dict[str, Any], by_twilio: dict[str, str]) -> str:
    """Who carries text messages to responders: what TEXT_PROVIDER says, else whoever is set up."""
    value = environment.choice(
        "TEXT_PROVIDER", "twilio" if by_twilio and not gateway else "gateway", "gateway", "twilio"
    )
    if value == "twilio" and not by_twilio:
        raise ImproperlyConfigured("TEXT_PROVIDER is twilio, and TWILIO_ACCOUNT is not set.")
    return value


def address(name: str, default: str = "") -> str:
    """An address that begins with https://, without the slash at its end; http:// is for this machine alone."""
    value = environment.text(name, default).rstrip("/")
    parts = urlsplit(value)
    is_own = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if value and not (parts.hostname and (parts.scheme == "https" or is_own)):
        raise ImproperlyConfigured(f"{name} is {value!r}. It must begin with https://.")
    return value


def channels(name: str) -> list[str]:
    """The channels that people may choose; all of them where nothing is said."""
    chosen = environment.words(name) or list(CHANNELS)
    for one in chosen:
        if one not in CHANNELS:
            raise ImproperlyConfigured(f"{name} names {one!r}. It may hold {', '.join(CHANNELS)}.")
    return chosen


def both_or_neither(*names: str) -> None:
    """Settings that are of no use without each other."""
    missing = [name for name in names if not environment.text(name)]
    if missing and len(missing) < len(names):
        raise ImproperlyConfigured(
            f"{missing[0]} is not set. It goes with {', '.join(n for n in names if n not in missing)}."
        )


def not_both(*names: str) -> None:
    """Settings of which one alone can be true."""
    if all(environment.boolean(name, default=False) for name in names):
        raise ImproperlyConfigured(f"{' and '.join(names)} are both set. Set one of them.")

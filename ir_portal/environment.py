"""Typed readers of environment variables. Nonsense stops the start, with the variable's name and the mend."""

import ipaddress
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}

GATEWAY: Mapping[str, Any] = {
    "url": "",
    "method": "POST",
    "headers": {},
    "body": {},
    "format": "json",
    "statuses": [200, 201, 202],
    "country": "44",
    "seconds": 20,
    "ca_file": "",
}


def text(name: str, default: str = "") -> str:
    """The variable, or the content of the file that NAME_FILE names, stripped."""
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {error.strerror}.") from error
    return os.environ.get(name, default).strip()


def alone(name: str) -> str:
    """The variable, never a file: its _FILE is a setting of its own, read anew each time."""
    return os.environ.get(name, "").strip()


def boolean(name: str, *, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name} is {value!r}. Write 1 or 0.")
    return value in TRUE


def integer(name: str, default: int) -> int:
    value = text(name)
    try:
        return int(value) if value else default
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {value!r}. Write a whole number.") from None


def within(name: str, default: int, least: int, most: int) -> int:
    """A whole number that is neither less nor more."""
    value = integer(name, default)
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name} is {value}. Write a number from {least} to {most}.")
    return value


def waits(name: str, default: str, longest: int) -> list[int]:
    """Seconds between one attempt and the next, such as 5,30,300; one attempt more is made than there are waits."""
    written = words(name, default)
    found = [int(word) for word in written if word.isascii() and word.isdecimal() and len(word) < 9]
    if not 0 < len(found) == len(written) <= 20 or max(found) > longest:
        raise ImproperlyConfigured(
            f"{name} is {','.join(written)!r}. Write one to 20 numbers of seconds, each {longest} at most: {default}."
        )
    return found


def choice(name: str, default: str, *known: str) -> str:
    """One of the known words, however it is capitalised."""
    value = text(name, default).lower() or default
    if value not in known:
        raise ImproperlyConfigured(f"{name} is {value!r}. Write {' or '.join(known)}.")
    return value


def entries(name: str) -> dict[str, dict[str, object]]:
    """A JSON object of objects; nothing when the variable is not set."""
    try:
        value = json.loads(text(name) or "{}")
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not JSON: {error}.") from None
    if not isinstance(value, dict) or not all(isinstance(entry, dict) for entry in value.values()):
        raise ImproperlyConfigured(f'{name} must read {{"a name": {{"an option": "its value"}}}}.')
    return value


def gateway(name: str) -> dict[str, Any]:
    """How text messages leave, from a JSON object with options as in GATEWAY; empty when the variable is not set.

    The secret stands apart, in NAME_TOKEN or NAME_TOKEN_FILE, and is named {token} in headers or body.
    """
    value = _object(name)
    if not value:
        return {}
    entry = {**GATEWAY, **value, "token": text(f"{name}_TOKEN")}
    body = json.dumps(entry["body"])
    needs_token = "{token}" in body + json.dumps(entry["headers"])
    rules = {
        f"may hold {', '.join(GATEWAY)}, and nothing else": set(value) <= set(GATEWAY),
        "needs a url that begins with https://": str(entry["url"]).startswith(("https://", "http://")),
        "has a method that is not POST or PUT": entry["method"] in {"POST", "PUT"},
        "has a format that is not json or form": entry["format"] in {"json", "form"},
        "has headers that are not texts": _is_texts(entry["headers"]),
        "needs a body with {text}, and {number} or {digits}": "{text}" in body
        and ("{number}" in body or "{digits}" in body),
        "has a body that no form can carry: all of its values must be texts": (
            entry["format"] == "json" or _is_texts(entry["body"])
        ),
        "has statuses that are no list of numbers": _is_numbers(entry["statuses"]),
        "has a country that is no calling code, such as 44": str(entry["country"]).isdigit(),
        "has seconds that are not between 1 and 60": _is_numbers([entry["seconds"]]) and 1 <= entry["seconds"] <= 60,
        "has a ca_file that is no path": isinstance(entry["ca_file"], str),
        f"names {{token}}, and {name}_TOKEN is not set": bool(entry["token"]) or not needs_token,
    }
    for fault, holds in rules.items():
        if not holds:
            raise ImproperlyConfigured(f"{name} {fault}.")
    return entry


def _object(name: str) -> dict[str, Any]:
    try:
        value = json.loads(text(name) or "{}")
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise ImproperlyConfigured(f"{name} must be a JSON object.")
    return value


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def _is_numbers(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(type(each) is int for each in value)


def words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str) -> list[str]:
    """Networks such as 10.0.0.0/8 or fd00::/8, with commas between them."""
    try:
        return [str(ipaddress.ip_network(word)) for word in words(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must name networks such as 10.0.0.0/8: {error}.") from None


def kept_secret(name: str, folder: Path) -> str:
    """The variable, or a random value made once and kept in a file only its owner reads."""
    if value := text(name):
        return value
    path = folder / name.lower()
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50), encoding="ascii")
    return path.read_text(encoding="ascii")


def database(url: str) -> dict[str, object]:
    """A Django database entry from postgres://user:password@host:port/name, with a pool of DATABASE_POOL connections.

    DATABASE_POOL=0 is without a pool, for a process with one thread.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured("DATABASE_URL must read postgres://user:password@host:port/name.")
    size = integer("DATABASE_POOL", 10)
    pool = {"pool": {"min_size": 1, "max_size": size, "timeout": 10}} if size else {}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or 5432),
        # Django's own cursors never prepare; those of runbooks/prepared.py do, at once.
        "OPTIONS": {"prepare_threshold": 0, **pool},
    }

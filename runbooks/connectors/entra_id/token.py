"""The portal's application signs in to a tenant: OAuth 2.0 client credentials (RFC 6749 4.4).

A token is kept in this process until shortly before it ends, for every connection of the same application and secret.
It is written nowhere else, and neither it nor the secret is in a message.
"""

import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import httpx

from runbooks import outbound
from runbooks.connectors.base import ConnectorError
from runbooks.outbound import OutboundError

EARLY_SECONDS, AGAIN_SECONDS = 300, 5.0
# What Entra's own error codes mean for whoever set the connection up.
MENDS: Final = {
    "AADSTS7000215": "Check the client_secret: its value, not its id.",
    "AADSTS7000222": "The client_secret has expired. Make a new one in the app registration.",
    "AADSTS700016": "Check client_id, and that the application is in this tenant.",
    "AADSTS90002": "Check tenant.",
    "AADSTS900023": "Check tenant.",
    "AADSTS7000112": "The application is disabled. Enable it in Enterprise applications.",
}


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """The time, and how to let some of it pass."""

    now: Callable[[], datetime] = _now
    wait: Callable[[float], object] = time.sleep


@dataclass(frozen=True, slots=True)
class Application:
    """The portal as the tenant knows it."""

    tenant: str
    client_id: str
    secret: str = field(repr=False)
    authority: str
    scope: str

    @property
    def fingerprint(self) -> str:
        parts = (self.authority, self.tenant, self.client_id, self.secret, self.scope)
        return sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Token:
    text: str = field(repr=False)
    ends_at: datetime
    roles: frozenset[str]
    """The permissions granted to the application, as the token itself says."""


_kept: dict[str, Token] = {}


def token_of(application: Application, http: httpx.Client, clock: Clock, *, spent: Token | None = None) -> Token:
    """The kept one, or a new one when it is about to end or is the one that was refused. Raises ConnectorError."""
    kept = _kept.get(application.fingerprint)
    if kept is not None and kept is not spent and clock.now() < kept.ends_at:
        return kept
    _kept[application.fingerprint] = new = _asked(application, http, clock)
    return new


def _asked(application: Application, http: httpx.Client, clock: Clock) -> Token:
    form = {
        "grant_type": "client_credentials",
        "client_id": application.client_id,
        "client_secret": application.secret,
        "scope": application.scope,
    }
    try:
        response = http.post(f"{application.authority}/{application.tenant}/oauth2/v2.0/token", data=form)
        content = content_of(response)
    except OutboundError as error:
        again = None if error.permanent else error.retry_after or AGAIN_SECONDS
        raise ConnectorError(str(error), permanent=error.permanent, retry_after=again) from None
    if response.status_code != httpx.codes.OK:
        raise _refusal(response, content, clock)
    said = content if isinstance(content, dict) else {}
    text, seconds = said.get("access_token"), said.get("expires_in")
    if not isinstance(text, str) or not isinstance(seconds, int):
        raise ConnectorError("Microsoft Entra answered without a token. Check authority.", permanent=True)
    useful = max(seconds - EARLY_SECONDS, seconds / 2)
    return Token(text, clock.now() + timedelta(seconds=useful), _roles(text))


def content_of(response: httpx.Response) -> Any:
    """The JSON of an answer, or nothing where a refusal has none: its status and headers say enough."""
    if response.status_code < httpx.codes.BAD_REQUEST:
        return outbound.content_of(response) if response.content else None
    try:
        return outbound.content_of(response)
    except OutboundError:
        return None


def _refusal(response: httpx.Response, content: Any, clock: Clock) -> ConnectorError:
    """By code only: the description quotes what was sent."""
    status, said = response.status_code, content if isinstance(content, dict) else {}
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        again = outbound.retry_after(response, clock.now()) or AGAIN_SECONDS
        return ConnectorError(f"Microsoft Entra gives no token now ({status}).", permanent=False, retry_after=again)
    found = re.search(r"AADSTS\d+", str(said.get("error_description", "")))
    code = found.group() if found else "no code"
    name = re.sub(r"[^a-z_]", "", str(said.get("error", "")))[:40]
    mend = MENDS.get(code, "Check tenant, client_id and the client_secret.")
    return ConnectorError(
        f"Microsoft Entra refuses the portal's application ({status} {name}, {code}). {mend}", permanent=True
    )


def _roles(token: str) -> frozenset[str]:
    """The claim `roles`. Only read, not verified: Graph decides what the token may do. A token need not be readable."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return frozenset(str(role) for role in claims.get("roles", ()))
    except (ValueError, IndexError, AttributeError, TypeError):
        return frozenset()

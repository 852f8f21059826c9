"""The only door to HTTP outside. An address somebody typed must not reach what only this machine reaches.

`client()` gives an `httpx.Client` that follows no redirect, reads no proxy from the environment, speaks HTTPS only, and
connects to the very address it checked: what a name server says a second later changes nothing. Certificate and Host
stay those of the name. Answers are read whole, within a time and a size. Every failure is an OutboundError, whose text
names the host and nothing that was sent: no path, no header, no body.
"""

import ipaddress
import json
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
from django.conf import settings

from runbooks.outbound.errors import OutboundError
from runbooks.outbound.transport import NO_ADDRESS, Timeouts, Transport

__all__ = [
    "MOST_BYTES",
    "MOST_WAIT_SECONDS",
    "OutboundError",
    "Timeouts",
    "client",
    "content_of",
    "parsed",
    "retry_after",
]

MOST_BYTES: Final = 16 * 1024 * 1024
MOST_WAIT_SECONDS: Final = 3600.0
USUAL: Final = Timeouts()


def client(
    *,
    base_url: str = "",
    timeout: Timeouts = USUAL,
    headers: Mapping[str, str] | None = None,
    ca_file: str = "",
    allow_private: Iterable[str] = (),
    only_private: Iterable[str] | None = None,
    most_bytes: int = MOST_BYTES,
) -> httpx.Client:
    """A client to be used in a `with`, or closed. Its requests raise OutboundError; an answer of 400 or more is given.

    `ca_file` is the authority to trust instead of the system's. `allow_private` are networks (CIDR) besides those of
    the setting OUTBOUND_PRIVATE_NETWORKS; `only_private`, for addresses that anybody may type, stands in its place.
    Plain HTTP is for this machine only, where its network is allowed.
    """
    address = parsed(base_url)
    named = settings.OUTBOUND_PRIVATE_NETWORKS if only_private is None else only_private
    networks = [ipaddress.ip_network(text) for text in (*named, *allow_private)]
    if address.userinfo:
        raise OutboundError(f"The address of {address.host} holds a password. Leave it out.", permanent=True)
    for name, value in (headers or {}).items():
        if not (value.isascii() and value.isprintable()):
            raise OutboundError(f"The header {name} has a character HTTP does not know.", permanent=True)
    return _Client(
        base_url=address,
        headers={"User-Agent": "IR-Portal", "Accept-Encoding": "identity", **(headers or {})},
        transport=Transport(networks, timeout, _context(ca_file), most_bytes),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(timeout.read, connect=timeout.connect),
    )


def parsed(address: str) -> httpx.URL:
    """Raises OutboundError where it cannot be one."""
    with _refused():
        url = httpx.URL(address)
        url.host.encode()  # decoded only now, which is when it may fail
        return url


class _Client(httpx.Client):
    def build_request(self, *arguments: Any, **options: Any) -> httpx.Request:
        with _refused():
            request = super().build_request(*arguments, **options)
            request.url.host.encode()
            return request


@contextmanager
def _refused() -> Iterator[None]:
    """Also a header that is not ASCII, of which nothing is told."""
    try:
        yield
    except (httpx.InvalidURL, UnicodeError):
        raise OutboundError(NO_ADDRESS, permanent=True) from None


def retry_after(response: httpx.Response, now: datetime) -> float | None:
    """The seconds the header Retry-After asks for (RFC 9110 10.2.3), an hour at most; None where it says nothing."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MOST_WAIT_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds.total_seconds(), 0.0), MOST_WAIT_SECONDS)


def content_of(response: httpx.Response) -> Any:
    """The JSON of an answer. Raises OutboundError, to be tried again: a proxy's page of regrets is the usual cause."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        host, status = response.request.url.host, response.status_code
        reason = f"{host} answered {status} with something that is not JSON."
        raise OutboundError(reason, permanent=False, may_have_arrived=True) from None


def _context(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise OutboundError(f"The ca_file {ca_file} cannot be read: {error.strerror}.", permanent=True) from None

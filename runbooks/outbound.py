"""The only door to HTTP outside. An address somebody typed must not reach what only this machine reaches.

`client()` gives an `httpx.Client` that follows no redirect, reads no proxy from the environment, speaks HTTPS only, and
connects to the very address it checked: what a name server says a second later changes nothing. Certificate and Host
stay those of the name. Answers are read whole, within a time and a size. Every failure is an OutboundError, whose text
names the host and nothing that was sent: no path, no header, no body.
"""

import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpcore
import httpx
from django.conf import settings

MOST_BYTES: Final = 16 * 1024 * 1024
MOST_WAIT_SECONDS: Final = 3600.0

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
# Where clouds hand out a machine's own credentials, and what is no single machine: refused whatever the settings say.
NEVER: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "0.0.0.0/8", "::/128")
)
# Python calls these global; they are IPv4 in an old dress, and networks of one site.
NOT_GLOBAL: Final = tuple(ipaddress.ip_network(text) for text in ("::/96", "fec0::/10", "64:ff9b:1::/48"))


class OutboundError(Exception):
    """No answer to work with, and why. A permanent one is not tried again; `retry_after` is in seconds."""

    def __init__(self, reason: str, *, permanent: bool, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for an address to take the connection, between two bytes, and for all of a request.

    Looking up the name comes on top, as long as the system's resolver takes.
    """

    connect: float = 5
    read: float = 20
    total: float = 60


USUAL: Final = Timeouts()


def client(
    *,
    base_url: str = "",
    timeout: Timeouts = USUAL,
    headers: Mapping[str, str] | None = None,
    ca_file: str = "",
    allow_private: Iterable[str] = (),
    most_bytes: int = MOST_BYTES,
) -> httpx.Client:
    """A client to be used in a `with`, or closed. Its requests raise OutboundError; an answer of 400 or more is given.

    `ca_file` is the authority to trust instead of the system's. `allow_private` are networks (CIDR) besides those of
    the setting OUTBOUND_PRIVATE_NETWORKS. Plain HTTP is for this machine only, where its network is allowed.
    """
    networks = [ipaddress.ip_network(text) for text in (*settings.OUTBOUND_PRIVATE_NETWORKS, *allow_private)]
    try:
        address = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise OutboundError(f"An address to call is wrong: {error}.", permanent=True) from None
    if address.userinfo:
        raise OutboundError(f"The address of {address.host} holds a password. Leave it out.", permanent=True)
    for name, value in (headers or {}).items():
        if not (value.isascii() and value.isprintable()):
            raise OutboundError(f"The header {name} has a character HTTP does not know.", permanent=True)
    return httpx.Client(
        base_url=address,
        headers={"User-Agent": "IR-Portal", "Accept-Encoding": "identity", **(headers or {})},
        transport=_Transport(networks, timeout, _context(ca_file), most_bytes),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(timeout.read, connect=timeout.connect),
    )


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
        raise OutboundError(f"{host} answered {status} with something that is not JSON.", permanent=False) from None


# Addresses


def is_allowed(address: IPAddress, networks: Iterable[IPNetwork]) -> bool:
    """Whether a connection may go there: anywhere public, and to the networks that are named."""
    real = _real(address)
    if real.is_multicast or any(one in never for one in (address, real) for never in NEVER):
        return False
    if any(real in network for network in networks):
        return True
    return real.is_global and not any(real in network for network in NOT_GLOBAL)


def _real(address: IPAddress) -> IPAddress:
    """The IPv4 address inside an IPv6 one that only wraps it."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour
    if inside is None and address in NAT64:
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inside or address


def _addresses(host: str, port: int) -> list[IPAddress]:
    """Every address of a name, in the resolver's order, each once."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OutboundError(f"The name {host} was not found.", permanent=False) from error
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in found))


def _checked(host: str, port: int, networks: Iterable[IPNetwork], *, is_plain: bool) -> list[IPAddress]:
    """The addresses of a name, once all of them may be called: one bad one spoils the name."""
    addresses = _addresses(host, port)
    for address in addresses:
        if not is_allowed(address, networks):
            mend = "If it is meant, name its network in OUTBOUND_PRIVATE_NETWORKS."
            raise OutboundError(f"{host} is at {address}, which is not a public address. {mend}", permanent=True)
        if is_plain and not _real(address).is_loopback:
            raise OutboundError(f"The address of {host} is not encrypted. Write https://.", permanent=True)
    return addresses


# Connections


class _Request(threading.local):
    """The request a thread is at. httpcore makes every connection and reads every byte in the thread that asks."""

    ends: float = 0.0
    is_plain: bool = False

    def bounded(self, seconds: float | None) -> float:
        left = self.ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left if seconds is None else min(left, seconds)


class _Stream(httpcore.NetworkStream):
    """A stream whose every wait is cut at the end of the request's time, so that no trickle outlasts it."""

    def __init__(self, stream: httpcore.NetworkStream, request: _Request) -> None:
        self._stream, self._request = stream, request

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._request.bounded(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._request.bounded(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._request.bounded(timeout))
        return _Stream(secured, self._request)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Looks a name up once, checks what it found, and connects to that."""

    def __init__(self, networks: list[IPNetwork], request: _Request) -> None:
        self._networks, self._request, self._sockets = networks, request, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        lost: Exception = httpcore.ConnectError()
        for address in _checked(host, port, self._networks, is_plain=self._request.is_plain):
            try:
                seconds = self._request.bounded(timeout)
                stream = self._sockets.connect_tcp(str(address), port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                lost = error
            else:
                return _Stream(stream, self._request)
        raise lost


class _Transport(httpx.BaseTransport):
    def __init__(self, networks: list[IPNetwork], timeout: Timeouts, context: ssl.SSLContext, most_bytes: int) -> None:
        self._total, self._most_bytes, self._request = timeout.total, most_bytes, _Request()
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, max_connections=10, network_backend=_Backend(networks, self._request)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.scheme not in {"http", "https"} or not url.host:
            raise OutboundError("An address to call must read https://host/path.", permanent=True)
        self._request.ends = time.monotonic() + self._total
        self._request.is_plain = url.scheme == "http"
        try:
            response = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.read(),
                    extensions=request.extensions,
                )
            )
            try:
                return self._read(response, url.host)
            finally:
                response.close()
        except httpcore.TimeoutException as error:
            raise OutboundError(f"{url.host} did not answer in time.", permanent=False) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise _lost(url.host, error) from None

    def close(self) -> None:
        self._pool.close()

    def _read(self, response: httpcore.Response, host: str) -> httpx.Response:
        if 300 <= response.status < 400:
            raise OutboundError(
                f"{host} answers with a redirect ({response.status}), which is not followed. Name the final address.",
                permanent=True,
            )
        body = bytearray()
        for part in response.iter_stream():
            body += part
            if len(body) > self._most_bytes:
                raise OutboundError(f"{host} answers with more than {self._most_bytes:,} bytes.", permanent=True)
        # By a cookie one request would know another.
        headers = httpx.Headers([pair for pair in response.headers if pair[0].lower() != b"set-cookie"])
        if headers.get("Content-Encoding", "identity").lower() != "identity":  # a small body could unpack to any size
            raise OutboundError(f"{host} answers packed, though asked not to.", permanent=True)
        return httpx.Response(response.status, headers=headers, content=bytes(body))


def _context(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise OutboundError(f"The ca_file {ca_file} cannot be read: {error.strerror}.", permanent=True) from None


def _lost(host: str, error: Exception) -> OutboundError:
    """In words of the system's, never of the request's: a protocol error quotes the header it stumbled on."""
    cause = next(iter(error.args), None)  # httpcore hands the system's own error on as its text
    if isinstance(cause, ssl.SSLCertVerificationError):
        return OutboundError(f"The certificate of {host} is refused: {cause.verify_message}.", permanent=True)
    if isinstance(error, httpcore.LocalProtocolError):
        return OutboundError(f"The request to {host} has a character HTTP does not know.", permanent=True)
    words = cause.strerror if isinstance(cause, OSError) and cause.strerror else "the connection was lost"
    return OutboundError(f"{host} does not answer: {words}.", permanent=False)

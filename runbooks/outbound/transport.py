"""Connections to checked addresses, answers within a time and a size."""

import ssl
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import httpcore
import httpx

from runbooks.outbound.addresses import IPNetwork, checked
from runbooks.outbound.errors import OutboundError

NO_ADDRESS: Final = "An address to call must read https://host/path."


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for an address to take the connection, between two bytes, and for all of a request.

    Looking up the name comes on top, as long as the system's resolver takes.
    """

    connect: float = 5
    read: float = 20
    total: float = 60


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
        for address in checked(host, port, self._networks, is_plain=self._request.is_plain):
            try:
                seconds = self._request.bounded(timeout)
                stream = self._sockets.connect_tcp(str(address), port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                lost = error
            else:
                return _Stream(stream, self._request)
        raise lost


class Transport(httpx.BaseTransport):
    def __init__(self, networks: list[IPNetwork], timeout: Timeouts, context: ssl.SSLContext, most_bytes: int) -> None:
        self._total, self._most_bytes, self._request = timeout.total, most_bytes, _Request()
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, max_connections=10, network_backend=_Backend(networks, self._request)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.scheme not in {"http", "https"} or not url.host or not 0 < (url.port or 443) < 65536:
            raise OutboundError(NO_ADDRESS, permanent=True)
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
            late = not isinstance(error, httpcore.ConnectTimeout)
            raise OutboundError(
                f"{url.host} did not answer in time.", permanent=False, may_have_arrived=late, is_timeout=True
            ) from error
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
                reason = f"{host} answers with more than {self._most_bytes:,} bytes."
                raise OutboundError(reason, permanent=True, may_have_arrived=True)
        # By a cookie one request would know another.
        headers = httpx.Headers([pair for pair in response.headers if pair[0].lower() != b"set-cookie"])
        if headers.get("Content-Encoding", "identity").lower() != "identity":  # a small body could unpack to any size
            reason = f"{host} answers packed, though asked not to."
            raise OutboundError(reason, permanent=True, may_have_arrived=True)
        return httpx.Response(response.status, headers=headers, content=bytes(body))


def _lost(host: str, error: Exception) -> OutboundError:
    """In words of the system's, never of the request's: a protocol error quotes the header it stumbled on."""
    cause = next(iter(error.args), None)  # httpcore hands the system's own error on as its text
    if isinstance(cause, ssl.SSLCertVerificationError):
        return OutboundError(f"The certificate of {host} is refused: {cause.verify_message}.", permanent=True)
    if isinstance(error, httpcore.LocalProtocolError):
        return OutboundError(f"The request to {host} has a character HTTP does not know.", permanent=True)
    words = cause.strerror if isinstance(cause, OSError) and cause.strerror else "the connection was lost"
    late = not isinstance(error, httpcore.ConnectError)
    return OutboundError(f"{host} does not answer: {words}.", permanent=False, may_have_arrived=late)

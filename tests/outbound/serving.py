"""Servers that mean no good, and asking them."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from runbooks import outbound
from runbooks.outbound import OutboundError

NOW = datetime(2017, 6, 23, 20, 0, tzinfo=UTC)


class Server:
    """Answers by the function a test gives it, and remembers the headers it got."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.names: list[str | None] = []
        """The names TLS clients asked for."""
        self.answer: Callable[[BaseHTTPRequestHandler], None] = lambda handler: send(handler, b'{"well": true}')
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.seen.append((self.path, dict(self.headers)))
                outer.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hangs up is what many of these tests are about."""

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content_Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def get(server: Server, path: str = "/", host: str = "127.0.0.1", **options: Any) -> httpx.Response:
    with outbound.client(**options) as client:
        return client.get(f"http://{host}:{server.port}{path}")


def refused(server: Server, path: str = "/", host: str = "127.0.0.1", **options: Any) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        get(server, path, host, **options)
    return caught.value

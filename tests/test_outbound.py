"""The one door to HTTP outside, against servers that mean no good."""

import ipaddress
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured

from ir_portal import environment
from runbooks import outbound
from runbooks.outbound import OutboundError, Timeouts, addresses

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


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def loopback(settings: Any) -> None:
    settings.OUTBOUND_PRIVATE_NETWORKS = ["127.0.0.0/8", "::1/128"]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Answers names from lists of addresses, one list a question; the last stays."""

    def answers(*rounds: list[str]) -> list[str]:
        asked: list[str] = []

        def resolve(host: str, port: int) -> list[addresses.IPAddress]:
            asked.append(host)
            return [ipaddress.ip_address(text) for text in rounds[min(len(asked), len(rounds)) - 1]]

        monkeypatch.setattr(addresses, "found", resolve)
        return asked

    return answers


def get(server: Server, path: str = "/", host: str = "127.0.0.1", **options: Any) -> httpx.Response:
    with outbound.client(**options) as client:
        return client.get(f"http://{host}:{server.port}{path}")


def refused(server: Server, path: str = "/", host: str = "127.0.0.1", **options: Any) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        get(server, path, host, **options)
    return caught.value


# Addresses


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0", "255.255.255.255"),
        *("169.254.169.254", "100.100.100.200", "224.0.1.1", "239.1.1.1", "192.0.2.1", "198.18.0.1", "240.0.0.1"),
        *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "2001::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::10.0.0.1"),
        *("64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:a00:1::1", "2002:7f00:1::1"),
    ],
)
def test_what_is_not_public_is_refused(text: str) -> None:
    assert not addresses.is_allowed(ipaddress.ip_address(text), [])


@pytest.mark.parametrize("text", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_what_is_public_is_allowed(text: str) -> None:
    assert addresses.is_allowed(ipaddress.ip_address(text), [])


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "2002:a01:203::1"])
def test_a_named_network_is_allowed_in_every_dress(text: str) -> None:
    network = ipaddress.ip_network("10.0.0.0/8")
    assert addresses.is_allowed(ipaddress.ip_address(text), [network])
    assert not addresses.is_allowed(ipaddress.ip_address("192.168.0.1"), [network])


@pytest.mark.parametrize("text", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::254", "224.0.0.1"])
def test_no_setting_opens_the_door_to_a_machines_own_credentials(text: str) -> None:
    everything = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    assert not addresses.is_allowed(ipaddress.ip_address(text), everything)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001"])
def test_this_machine_is_refused_in_every_spelling_until_it_is_allowed(
    server: Server, settings: Any, host: str
) -> None:
    settings.OUTBOUND_PRIVATE_NETWORKS = []
    error = refused(server, host=host)
    assert "OUTBOUND_PRIVATE_NETWORKS" in str(error)
    assert error.permanent
    assert server.seen == []
    assert get(server, host=host, allow_private=["127.0.0.0/8", "::1/128"]).json() == {"well": True}


def test_one_bad_address_spoils_a_name(server: Server, loopback: None, resolver: Any) -> None:
    resolver(["127.0.0.1", "169.254.169.254"])
    assert "169.254.169.254" in str(refused(server, host="hook.example"))
    assert server.seen == []


def test_the_address_that_was_checked_is_the_one_that_is_called(server: Server, loopback: None, resolver: Any) -> None:
    asked = resolver(["127.0.0.1"], ["169.254.169.254"])
    assert get(server, host="hook.example").status_code == 200
    assert asked == ["hook.example"]
    assert server.seen[0][1]["Host"] == f"hook.example:{server.port}"


def test_a_name_that_turns_bad_is_refused_at_the_next_connection(server: Server, loopback: None, resolver: Any) -> None:
    resolver(["127.0.0.1"], ["169.254.169.254"])
    server.answer = lambda handler: send(handler, b"{}", Connection="close")
    with outbound.client(base_url=f"http://hook.example:{server.port}") as client:
        assert client.get("/").status_code == 200
        with pytest.raises(OutboundError, match=r"169\.254\.169\.254"):
            client.get("/")


def test_the_next_address_is_tried_when_one_does_not_answer(server: Server, loopback: None, resolver: Any) -> None:
    resolver(["::1", "127.0.0.1"])  # the server listens at the second alone
    assert get(server, host="hook.example").status_code == 200


def test_plain_http_leaves_this_machine_for_nothing(server: Server, resolver: Any) -> None:
    resolver(["93.184.216.34"])
    assert "not encrypted" in str(refused(server, host="hook.example"))


def test_a_name_nobody_knows_is_worth_another_try(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*question: Any, **options: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = refused(server, host="hook.example")
    assert str(error) == "The name hook.example was not found."
    assert not error.permanent


@pytest.mark.parametrize(
    "address",
    [
        *("ftp://hook.example/", "file:///etc/passwd", "hook.example", "https:///path", "https://[::1"),
        *("https://hook.example:x/", "https://127.0.0.1:99999/", "https://xn--a/", "https://hook.example/\x00"),
    ],
)
def test_what_is_no_address_of_a_web_server_is_refused(address: str) -> None:
    with outbound.client() as client, pytest.raises(OutboundError, match="https://host/path"):
        client.get(address)


# Answers


def test_a_redirect_is_a_failure_that_says_so(server: Server, loopback: None) -> None:
    server.answer = lambda handler: send(handler, b"", 302, Location="http://169.254.169.254/latest/meta-data/")
    error = refused(server)
    assert "redirect (302)" in str(error)
    assert error.permanent
    assert len(server.seen) == 1


@pytest.mark.parametrize("chunked", [True, False])
def test_an_endless_body_is_cut(server: Server, loopback: None, chunked: bool) -> None:
    def pour(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", "1000000000")))
        handler.end_headers()
        part = b"x" * 65536
        try:
            while True:
                handler.wfile.write(b"10000\r\n" + part + b"\r\n" if chunked else part)
        except OSError:
            handler.close_connection = True

    server.answer = pour
    error = refused(server, most_bytes=100_000)
    assert "more than 100,000 bytes" in str(error)


def test_a_packed_body_is_not_unpacked(server: Server, loopback: None) -> None:
    server.answer = lambda handler: send(handler, b"small", Content_Encoding="gzip")
    assert "packed" in str(refused(server))
    assert server.seen[0][1]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("in_headers", [True, False])
def test_a_trickle_ends_with_the_time_of_the_request(server: Server, loopback: None, in_headers: bool) -> None:
    stop = threading.Event()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n" + (b"X-A: " if in_headers else b"\r\n"))
        handler.close_connection = True
        try:
            while not stop.wait(0.02):
                handler.wfile.write(b"x")
        except OSError:
            stop.set()

    server.answer = trickle
    error = refused(server, timeout=Timeouts(connect=1, read=5, total=0.3))
    assert "did not answer in time" in str(error)
    assert not error.permanent
    stop.set()


def test_silence_ends_with_the_time_between_two_bytes(server: Server, loopback: None) -> None:
    heard = threading.Event()
    server.answer = lambda handler: heard.wait(5) and None
    error = refused(server, timeout=Timeouts(connect=1, read=0.1, total=60))
    heard.set()
    assert "did not answer in time" in str(error)
    assert error.may_have_arrived


def test_silence_ends_with_the_time_of_the_request(server: Server, loopback: None) -> None:
    def answer_late(handler: BaseHTTPRequestHandler) -> None:
        given_up.wait(3)
        send(handler, b"{}")

    given_up = threading.Event()
    server.answer = answer_late
    error = refused(server, timeout=Timeouts(connect=1, read=30, total=0.2))
    given_up.set()
    assert "did not answer in time" in str(error)


def test_a_server_that_is_not_there_is_worth_another_try(server: Server, loopback: None) -> None:
    server.http.shutdown()
    server.http.server_close()
    error = refused(server)
    assert "Connection refused" in str(error)
    assert not error.permanent
    assert not error.may_have_arrived


def test_a_line_that_drops_is_worth_another_try(server: Server, loopback: None) -> None:
    def drop(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True

    server.answer = drop
    error = refused(server)
    assert "the connection was lost" in str(error)
    assert not error.permanent
    assert error.may_have_arrived


def test_an_answer_of_500_is_the_callers_to_judge(server: Server, loopback: None) -> None:
    server.answer = lambda handler: send(handler, b"oh", 500)
    response = get(server)
    assert response.status_code == 500
    with pytest.raises(OutboundError, match="answered 500 with something that is not JSON"):
        outbound.content_of(response)


def test_an_answer_nested_beyond_reason_is_no_json(server: Server, loopback: None) -> None:
    server.answer = lambda handler: send(handler, b"[" * 200_000)
    with pytest.raises(OutboundError, match="not JSON"):
        outbound.content_of(get(server))


def test_one_request_knows_nothing_of_another(server: Server, loopback: None) -> None:
    server.answer = lambda handler: send(handler, b"{}", Set_Cookie="who=anna; Path=/")
    with outbound.client(base_url=f"http://127.0.0.1:{server.port}") as client:
        client.get("/")
        client.get("/")
    assert len(server.seen) == 2
    assert all("Cookie" not in headers for _, headers in server.seen)


def test_no_proxy_of_the_environment_gets_a_request(
    server: Server, loopback: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert get(server).status_code == 200


# TLS


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Signed by itself, for hook.example."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hook.example"]
    alternative = ["-addext", "subjectAltName=DNS:hook.example"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    subprocess.run([*command, *alternative, *files], check=True, capture_output=True)
    return tmp_path / "certificate.pem"


@pytest.fixture
def secure(server: Server, certificate: Path, loopback: None, resolver: Any) -> Server:
    """The server behind TLS, whatever name it is called by."""
    resolver(["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    context.sni_callback = lambda stream, name, context: server.names.append(name)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    return server


def test_the_certificate_is_that_of_the_name_not_of_the_address(secure: Server, certificate: Path) -> None:
    with outbound.client(base_url=f"https://hook.example:{secure.port}", ca_file=str(certificate)) as client:
        assert client.get("/").status_code == 200
    assert secure.names == ["hook.example"]
    with (
        outbound.client(base_url=f"https://other.example:{secure.port}", ca_file=str(certificate)) as client,
        pytest.raises(OutboundError, match=r"certificate of other\.example is refused: Hostname mismatch") as caught,
    ):
        client.get("/")
    assert caught.value.permanent


def test_a_certificate_of_no_known_authority_is_refused(secure: Server) -> None:
    with (
        outbound.client(base_url=f"https://hook.example:{secure.port}") as client,
        pytest.raises(OutboundError, match="self-signed"),
    ):
        client.get("/")
    assert secure.seen == []


def test_an_authority_that_cannot_be_read_is_named() -> None:
    with pytest.raises(OutboundError, match=r"ca_file /no/such\.pem cannot be read"):
        outbound.client(ca_file="/no/such.pem")


# Secrets


@pytest.mark.parametrize("secret", ["tok\nen-1234", "tok\x00en-1234", "tokén-1234"])
def test_a_secret_that_is_no_header_is_not_told(server: Server, loopback: None, secret: str) -> None:
    with pytest.raises(OutboundError, match="header Authorization") as caught:
        outbound.client(headers={"Authorization": f"Bearer {secret}"})
    assert "1234" not in str(caught.value)


def test_a_secret_in_one_requests_header_is_not_told(server: Server, loopback: None) -> None:
    with outbound.client() as client, pytest.raises(OutboundError, match="HTTP does not know") as caught:
        client.get(f"http://127.0.0.1:{server.port}/", headers={"Authorization": "Bearer 1234\n"})
    assert "1234" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_password_in_an_address_is_refused_and_not_told() -> None:
    with pytest.raises(OutboundError, match="holds a password") as caught:
        outbound.client(base_url="https://portal:open-sesame@hook.example/")
    assert "sesame" not in str(caught.value)


def test_neither_log_nor_error_tells_what_was_asked(
    server: Server, loopback: None, caplog: pytest.LogCaptureFixture
) -> None:
    get(server, "/users?login=anna.berg", headers={"Authorization": "Bearer open-sesame"})
    server.answer = lambda handler: send(handler, b"", 302, Location="/?login=anna.berg")
    error = refused(server, "/users?login=anna.berg", headers={"Authorization": "Bearer open-sesame"})
    told = caplog.text + str(error)
    assert "anna.berg" not in told
    assert "sesame" not in told


# Retry-After


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("0", 0), ("17", 17), (" 17 ", 17), ("999999999999", 3600), ("9" * 5000, 3600)),
        *(("Fri, 23 Jun 2017 20:00:30 GMT", 30), ("Fri, 23 Jun 2017 22:00:30 +0200", 30)),
        *(("Fri, 23 Jun 2017 19:00:00 GMT", 0), ("Fri, 23 Jun 2117 19:00:00 GMT", 3600)),
        *((name, None) for name in ("", "-3", "1.5", "soon", "1e3", "Fri, 99 Jun 2017 19:00:00 GMT", "²")),
    ],
)
def test_the_time_to_wait_is_read_and_bounded(text: str, seconds: float | None) -> None:
    headers = [(b"Retry-After", text.encode())] if text else []
    assert outbound.retry_after(httpx.Response(429, headers=headers), NOW) == seconds


# The setting


def test_a_network_that_is_none_stops_the_start_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOUND_PRIVATE_NETWORKS", "10.0.0.0/8, fd00::/8")
    assert environment.networks("OUTBOUND_PRIVATE_NETWORKS") == ["10.0.0.0/8", "fd00::/8"]
    monkeypatch.setenv("OUTBOUND_PRIVATE_NETWORKS", "10.0.0.1/8")
    with pytest.raises(ImproperlyConfigured, match="OUTBOUND_PRIVATE_NETWORKS must name networks"):
        environment.networks("OUTBOUND_PRIVATE_NETWORKS")


def test_a_request_from_another_thread_has_a_time_of_its_own(server: Server, loopback: None) -> None:
    client = outbound.client(base_url=f"http://127.0.0.1:{server.port}", timeout=Timeouts(total=5))
    statuses: list[int] = []
    with client:
        client.get("/")
        threads = [threading.Thread(target=lambda: statuses.append(client.get("/").status_code)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert statuses == [200] * 4

"""Certificates, secrets, and times to wait."""

import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured

from ir_portal import environment
from runbooks import outbound
from runbooks.outbound import OutboundError, Timeouts
from tests.outbound.serving import NOW, Server, get, refused, send

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

"""What servers answer that mean no good, and time that runs out."""

import threading
from http.server import BaseHTTPRequestHandler

import pytest

from runbooks import outbound
from runbooks.outbound import OutboundError, Timeouts
from tests.outbound.serving import Server, get, refused, send

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

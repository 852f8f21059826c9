"""Where a request goes: what a name may mean, and that the address which was checked is the one that is called."""

import ipaddress
import socket
from typing import Any

import pytest

from runbooks import outbound
from runbooks.outbound import OutboundError, addresses
from tests.outbound.serving import Server, get, refused, send

# Addresses


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0", "255.255.255.255"),
        *("169.254.169.254", "100.100.100.200", "224.0.1.1", "239.1.1.1", "192.0.2.1", "198.18.0.1", "240.0.0.1"),
        *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "2001::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::10.0.0.1"),
        *("::ffff:0:7f00:1", "::ffff:0:a00:1", "192.88.99.1", "3fff::1", "5f00::1", "168.63.129.16"),
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


@pytest.mark.parametrize(
    "text",
    [
        *("169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::254", "224.0.0.1"),
        *("168.63.129.16", "192.0.0.192", "::ffff:0:a9fe:a9fe", "64:ff9b::a83f:8110"),
    ],
)
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

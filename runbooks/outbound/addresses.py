"""Which addresses may be called: public ones, and those of the networks that are named."""

import ipaddress
import socket
from collections.abc import Iterable
from typing import Final

from runbooks.outbound.errors import OutboundError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# IPv4 in IPv6: by the well-known prefix of translators, and as stateless ones write it (RFC 2765).
WRAPPED: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::ffff:0:0:0/96"))
# Where clouds hand out a machine's own credentials, and what is no single machine: refused whatever the settings say.
NEVER: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "168.63.129.16/32"),
        *("192.0.0.192/32", "0.0.0.0/8", "::/128"),
    )
)
# Python calls these global; they are IPv4 in an old dress, and networks of one site, of a document or of a router.
NOT_GLOBAL: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("::/96", "fec0::/10", "64:ff9b:1::/48", "192.88.99.0/24", "3fff::/20", "5f00::/16")
)


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
    if inside is None and any(address in network for network in WRAPPED):
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inside or address


def found(host: str, port: int) -> list[IPAddress]:
    """Every address of a name, in the resolver's order, each once."""
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OutboundError(f"The name {host} was not found.", permanent=False) from error
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in entries))


def checked(host: str, port: int, networks: Iterable[IPNetwork], *, is_plain: bool) -> list[IPAddress]:
    """The addresses of a name, once all of them may be called: one bad one spoils the name."""
    addresses = found(host, port)
    for address in addresses:
        if not is_allowed(address, networks):
            mend = "If it is meant, name its network in OUTBOUND_PRIVATE_NETWORKS."
            raise OutboundError(f"{host} is at {address}, which is not a public address. {mend}", permanent=True)
        if is_plain and not _real(address).is_loopback:
            raise OutboundError(f"The address of {host} is not encrypted. Write https://.", permanent=True)
    return addresses

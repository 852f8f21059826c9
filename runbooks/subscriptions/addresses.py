"""Which addresses may be subscribed. Names are looked up and checked at each call, by `outbound`."""

import ipaddress
from typing import Final

from django.conf import settings

from runbooks import outbound
from runbooks.errors import DomainError
from runbooks.outbound import OutboundError
from runbooks.outbound.addresses import is_allowed

URL_MAX: Final = 500
OWN_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class BadReceiverError(DomainError):
    """What was typed cannot be called."""

    status = 400


def checked_url(typed: str) -> str:
    """The address, stripped. Raises BadReceiverError with what is wrong and the mend."""
    url = typed.strip()
    try:
        parts = outbound.parsed(url)
    except OutboundError as error:
        raise BadReceiverError(str(error)) from None
    if len(url) > URL_MAX:
        raise BadReceiverError(f"The address has {len(url)} characters. At most {URL_MAX} are kept.")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.host in OWN_MACHINE):
        raise BadReceiverError("The address must begin with https://.")
    if not parts.host or parts.fragment or not url.isprintable() or " " in url:
        raise BadReceiverError("An address to call must read https://host/path.")
    if parts.userinfo:
        raise BadReceiverError("The address holds a password. Leave it out: the signature says who calls.")
    _check_literal(parts.host)
    return url


def host_of(url: str) -> str:
    return outbound.parsed(url).host


def _check_literal(host: str) -> None:
    """A number is checked at once; what a name means may change, and is checked at each call."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    networks = [ipaddress.ip_network(text) for text in settings.OUTBOUND_PRIVATE_NETWORKS]
    if not is_allowed(address, networks):
        mend = "If it is meant, name its network in OUTBOUND_PRIVATE_NETWORKS."
        raise BadReceiverError(f"{host} is not a public address. {mend}")

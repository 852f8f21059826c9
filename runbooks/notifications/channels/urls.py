"""Addresses that are URLs, of which the path is a secret: whoever knows it can write there."""

from runbooks import outbound
from runbooks.notifications.channels.base import BadAddressError
from runbooks.notifications.channels.domains import ascii_domain
from runbooks.outbound import OutboundError

MOST_CHARACTERS = 500
OWN_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})


def clean_url(written: str, example: str) -> str:
    """Raises BadAddressError. Whether its host may be called is seen when it is."""
    address = written.strip()
    try:
        url = outbound.parsed(address)
    except OutboundError:
        raise BadAddressError(f"That is no address. Write it as {example}.") from None
    if url.scheme != "https" and not (url.scheme == "http" and url.host in OWN_MACHINE):
        raise BadAddressError("The address must begin with https://.")
    if not url.host or not address.isascii() or not address.isprintable() or " " in address:
        raise BadAddressError(f"That is no address. Write it as {example}.")
    if url.userinfo or url.fragment:
        raise BadAddressError("Leave out names and passwords in front of the host, and what follows a #.")
    if len(address) > MOST_CHARACTERS:
        raise BadAddressError(f"The address is longer than {MOST_CHARACTERS} characters.")
    return str(url)


def host_of(address: str) -> str:
    return ascii_domain(outbound.parsed(address).host)


def shown_url(address: str) -> str:
    """The host, and that there is more."""
    url = outbound.parsed(address)
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{url.host}{port}/…"

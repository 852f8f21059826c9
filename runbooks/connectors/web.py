"""What connectors over HTTP share: one client for as long as it is used, and failures in a connector's terms."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import httpx

from runbooks import outbound
from runbooks.connectors.base import ConnectorError
from runbooks.connectors.options import MisconfiguredError
from runbooks.outbound import OutboundError

AGAIN_SECONDS: Final = 5.0
MOST_WORDS: Final = 300
NOT_IMPLEMENTED: Final = 501
NOT_NOW: Final = frozenset({408, 425, 429, 503})
"""The other side says that it did nothing, and that later may be better."""


class LostError(ConnectorError):
    """The request may have arrived: whether it was done is not known. Inside a connector; `act` answers by account."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests go."""

    url: str
    ca_file: str = ""

    @property
    def host(self) -> str:
        return outbound.parsed(self.url).host


def place(name: str, url: str, ca_file: str) -> Place:
    """Raises MisconfiguredError where secrets would travel in clear."""
    try:
        parts = outbound.parsed(url)
    except OutboundError as error:
        raise MisconfiguredError(f"The url of the connection {name} is wrong. {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.host or parts.fragment:
        raise MisconfiguredError(f"The url of the connection {name} is no address. Write https://host/path.")
    if parts.userinfo:
        raise MisconfiguredError(f"The url of the connection {name} holds a password. Leave it out.")
    if parts.scheme == "http" and not _is_loopback(parts.host):
        raise MisconfiguredError(f"The url of the connection {name} is not encrypted. Write https://.")
    return Place(url, ca_file)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class WebSession:
    """Opens its client at the first call, and again after `close`."""

    def __init__(self, where: Place, headers: Mapping[str, str] | None = None) -> None:
        self.where, self._headers = where, dict(headers or {})
        self._client: httpx.Client | None = None

    def call(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer, also of a refusal: 400 to 499 but for those that ask to come later, and 501.

        Raises ConnectorError where nothing was done, LostError where that is not known.
        """
        try:
            self._client = self._client or outbound.client(headers=self._headers, ca_file=self.where.ca_file)
            response = self._client.request(method, url, content=body, headers=headers, params=params)
        except OutboundError as error:
            raise from_outbound(error) from error
        if response.status_code in NOT_NOW:
            wait = outbound.retry_after(response, datetime.now(UTC))
            raise ConnectorError(
                f"{self.where.host} asks to come later ({response.status_code}).",
                permanent=False,
                retry_after=AGAIN_SECONDS if wait is None else wait,
            )
        if response.status_code >= 500 and response.status_code != NOT_IMPLEMENTED:
            reason = f"{self.where.host} fails ({response.status_code}){said(response)}."
            raise LostError(reason, permanent=False, retry_after=AGAIN_SECONDS)
        return response

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def from_outbound(error: OutboundError) -> ConnectorError:
    kind = LostError if error.may_have_arrived else ConnectorError
    wait = None if error.permanent else error.retry_after or AGAIN_SECONDS
    return kind(str(error), permanent=error.permanent, retry_after=wait)


def words_of(text: object) -> str:
    """What the other side wrote, fit for a line and a database: printable, and not endless."""
    clean = "".join(mark if mark.isprintable() else " " for mark in text) if isinstance(text, str) else ""
    return clean.strip()[:MOST_WORDS]


def said(response: httpx.Response) -> str:
    """The reason an error's JSON gives, as ": reason" without its full stop; nothing where it gives none."""
    try:
        content = outbound.content_of(response)
    except OutboundError:
        return ""
    reasons = (content.get(key) for key in ("detail", "message")) if isinstance(content, dict) else ()
    words = next((words for words in map(words_of, reasons) if words), "")
    return f": {words.rstrip('.')}" if words else ""

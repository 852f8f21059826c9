"""One connection to an LDAP server: ldap3, which has no types, behind a few typed calls."""

import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.utils.conv import escape_filter_chars

from runbooks.connectors.base import ConnectorError
from runbooks.connectors.options import MisconfiguredError

CONNECT_SECONDS, ANSWER_SECONDS, AGAIN_SECONDS = 5, 20, 5.0
PAGE = 500
PAGED_RESULTS: Final = "1.2.840.113556.1.4.319"
POLICY_CONTROL: Final = "1.3.6.1.4.1.42.2.27.8.5.1"
# Result codes of RFC 4511
SUCCESS, SIZE_LIMIT, REFERRAL, NO_SUCH_ATTRIBUTE, VALUE_EXISTS, NO_SUCH_OBJECT = 0, 4, 10, 16, 20, 32
INVALID_CREDENTIALS, INSUFFICIENT_ACCESS, OBJECT_CLASS_VIOLATION = 49, 50, 65
PASSING: Final = frozenset({3, 51, 52})
"""Time limit, busy, unavailable."""

Changes = Mapping[str, list[tuple[str, list[str]]]]
"""Attribute to operations, each ADD, DELETE or REPLACE with its values."""
ADD, DELETE, REPLACE = ldap3.MODIFY_ADD, ldap3.MODIFY_DELETE, ldap3.MODIFY_REPLACE


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    is_tls: bool
    start_tls: bool
    ca_file: str

    @property
    def is_encrypted(self) -> bool:
        return self.is_tls or self.start_tls


@dataclass(frozen=True, slots=True)
class Entry:
    dn: str
    attributes: Mapping[str, list[str]]
    """By lower-case name: servers differ in how they spell one."""

    def get(self, name: str) -> list[str]:
        return self.attributes.get(name.lower(), [])


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    words: str

    @property
    def is_passing(self) -> bool:
        return self.code in PASSING


def address(url: str, *, start_tls: bool, ca_file: str) -> Address:
    """The address of ldaps://host or ldap://host. Raises MisconfiguredError where passwords would travel in clear."""
    parts = urlsplit(url)
    if parts.scheme not in {"ldap", "ldaps"} or not parts.hostname:
        raise MisconfiguredError(f"{url} is no address of a directory. Write ldaps://host or ldap://host:port.")
    is_tls = parts.scheme == "ldaps"
    if not is_tls and not start_tls and not _is_loopback(parts.hostname):
        raise MisconfiguredError(f"{url} is not encrypted. Write ldaps://, or set start_tls to true.")
    return Address(parts.hostname, parts.port or (636 if is_tls else 389), is_tls, start_tls and not is_tls, ca_file)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def escaped(text: str) -> str:
    return str(escape_filter_chars(text))


class Session:
    """Connects at the first call, and again after a loss. Every call raises ConnectorError when nobody answers."""

    def __init__(self, where: Address, bind_dn: str, password: str) -> None:
        self._where, self._bind_dn, self._password = where, bind_dn, password
        self._connection: ldap3.Connection | None = None
        self._policy_answered = False

    def runs_policies(self) -> bool:
        """Whether a password policy was at work when the portal's own account signed in.

        The server's list of controls does not tell: it names the overlay's once its module is loaded.
        """
        self.entry("", ["supportedLDAPVersion"])
        return self._policy_answered

    def search(self, base: str, wanted: str, attributes: list[str], *, one: bool = False) -> Iterator[Entry]:
        """The entries under the base (with `one`, the base itself), by pages. A base that is not there has none."""
        cookie: bytes | str | None = None
        while True:
            _, result, found, _ = self._call(
                "search",
                base,
                wanted,
                ldap3.BASE if one else ldap3.SUBTREE,
                dereference_aliases=ldap3.DEREF_NEVER,
                attributes=attributes,
                paged_size=None if one else PAGE,
                paged_cookie=cookie,
            )
            if result["result"] == NO_SUCH_OBJECT:
                return
            if result["result"] != SUCCESS:
                raise _refusal(result, f"The directory did not answer a search under {base}")
            yield from (_entry(item) for item in found if item["type"] == "searchResEntry")
            cookie = result.get("controls", {}).get(PAGED_RESULTS, {}).get("value", {}).get("cookie")
            if not cookie:
                return

    def entry(self, dn: str, attributes: list[str]) -> Entry | None:
        return next(self.search(dn, "(objectClass=*)", attributes, one=True), None)

    def modify(self, dn: str, changes: Changes) -> Answer:
        _, result, _, _ = self._call("modify", dn, dict(changes))
        return Answer(int(result["result"]), _words(result))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            _give_up(connection)

    def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        try:
            self._connection = self._connection or self._connected()
            return getattr(self._connection, name)(*arguments, **options)
        except LDAPException as error:
            self.close()
            raise ConnectorError(
                f"The directory at {self._where.host} does not answer: {error}.",
                permanent=False,
                retry_after=AGAIN_SECONDS,
            ) from error

    def _connected(self) -> ldap3.Connection:
        connection = ldap3.Connection(
            _server(self._where),
            self._bind_dn,
            self._password,
            client_strategy=ldap3.SAFE_SYNC,
            # A referral could send the portal's password to another server; writes go to the one that is named.
            auto_referrals=False,
            receive_timeout=ANSWER_SECONDS,
            return_empty_attributes=False,
            check_names=False,
        )
        try:
            connection.open()
            if self._where.start_tls:
                connection.start_tls()
            _, result, _, _ = connection.bind(controls=[(POLICY_CONTROL, False, None)])
        except LDAPException:
            _give_up(connection)
            raise
        if result["result"] != SUCCESS:
            _give_up(connection)
            raise _refusal(result, f"The directory refuses the portal's account {self._bind_dn}")
        self._policy_answered = POLICY_CONTROL in result.get("controls", {})
        return connection


def _give_up(connection: ldap3.Connection) -> None:
    """Say goodbye, and close the socket even when nobody hears it."""
    with suppress(LDAPException):
        connection.unbind()
    if connection.socket is not None:  # ldap3 leaves the one of a failed attempt open
        connection.socket.close()
        connection.socket = None


def _server(where: Address) -> ldap3.Server:
    return ldap3.Server(
        where.host,
        where.port,
        use_ssl=where.is_tls,
        tls=_tls(where) if where.is_encrypted else None,
        get_info=ldap3.NONE,
        connect_timeout=CONNECT_SECONDS,
    )


def _tls(where: Address) -> ldap3.Tls:
    """ldap3's, but for the handshake: it compares names by a function that Python 3.12 no longer has."""
    try:
        context = ssl.create_default_context(cafile=where.ca_file or None)
    except OSError as error:
        raise ConnectorError(f"The ca_file {where.ca_file} cannot be read: {error}.", permanent=True) from error

    def wrap_socket(connection: ldap3.Connection, do_handshake: bool = True) -> None:
        connection.socket = context.wrap_socket(connection.socket, server_hostname=where.host)

    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED)
    tls.wrap_socket = wrap_socket
    return tls


def _entry(item: Any) -> Entry:
    return Entry(
        str(item["dn"]),
        {
            str(name).lower(): [value.decode("utf-8", "replace") for value in values]
            for name, values in item["raw_attributes"].items()
        },
    )


def _words(result: Any) -> str:
    words = str(result["description"])
    return f"{words}: {result['message']}" if result.get("message") else words


def _refusal(result: Any, what: str) -> ConnectorError:
    code, passing = result["result"], result["result"] in PASSING
    mend = {
        SIZE_LIMIT: " Raise the size limit of the portal's account.",
        REFERRAL: " Name the server that takes writes.",
        INVALID_CREDENTIALS: " Check bind_dn and its password.",
    }.get(code, "")
    return ConnectorError(
        f"{what} ({_words(result)}).{mend}", permanent=not passing, retry_after=AGAIN_SECONDS if passing else None
    )

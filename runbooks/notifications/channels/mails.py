"""Mails as they leave. What is the same for many recipients is written out once: that costs more than sending does."""

import email.message
import hashlib
from email.policy import Policy
from email.utils import formatdate, parseaddr
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.mail.message import sanitize_address
from django.core.validators import validate_email

from runbooks.notifications.channels.base import BadAddressError, Message
from runbooks.notifications.channels.domains import ascii_domain
from runbooks.notifications.channels.smtp import LINE_END, Enveloped


def mail_address(written: str) -> str:
    """The address in its one spelling, which can be told to a server as it is. Raises BadAddressError."""
    name, _, domain = written.strip().rpartition("@")
    address = f"{name}@{ascii_domain(domain)}"
    try:
        validate_email(address)
    except ValidationError:
        raise BadAddressError("That is no e-mail address. Write it as name@example.org.") from None
    # Valid, and yet of no use but to mischief: spaces in quotes, and a machine by its number.
    if not address.isascii() or '"' in name or "[" in domain or "." not in domain:
        raise BadAddressError("Write the e-mail address as name@example.org, without quotes or numbers for the domain.")
    return address


class Mail(Enveloped):
    """A mail to one address. Backends that hand its parts to a provider find them, those of SMTP the bytes."""

    def __init__(self, message: Message, address: str, written: bytes) -> None:
        domain = _own_address(settings.DEFAULT_FROM_EMAIL).rpartition("@")[2]
        headers = headers_of(message) | {"Message-ID": f"<{_id_of(message.key)}@{domain}>"}
        super().__init__(message.subject, message.body, to=[address], headers=headers)
        self._written = written

    def envelope(self) -> tuple[str, str, bytes]:
        return _own_address(self.from_email), self.to[0], self.message().as_bytes()

    def message(self, *, policy: "Policy[Any] | None" = None) -> email.message.EmailMessage:
        """Address and id hold nothing that could end a header: a clean address, and figures of a hash."""
        own = f"To: {self.to[0]}\r\nMessage-ID: {self.extra_headers['Message-ID']}\r\nDate: {formatdate()}\r\n"
        return _Written(own.encode("ascii") + self._written)


class _Written(email.message.EmailMessage):
    """A message that was written out before, in the form SMTP wants."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = content

    def as_bytes(self, *arguments: object, **options: object) -> bytes:
        return self._content


def written(message: Message) -> bytes:
    """All of the mail but address, id and date. Raises ValueError where a header would be ended by what it holds."""
    mail = EmailMessage(message.subject, message.body, headers=headers_of(message)).message()
    del mail["Date"], mail["Message-ID"]
    return LINE_END.sub(b"\r\n", mail.as_bytes())


def headers_of(message: Message) -> dict[str, str]:
    headers = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
    if message.is_important:
        headers["Importance"] = "high"
    if message.is_exercise:
        headers["X-IR-Portal-Exercise"] = "yes"
    return headers


def _id_of(key: str) -> str:
    """The same whenever the mail is tried again, so that a mailbox that got it twice can show it once."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


@lru_cache(maxsize=4)
def _own_address(sender: str) -> str:
    return sanitize_address(parseaddr(sender)[1], "utf-8")

"""Mail, over SMTP or through a provider's own API."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from runbooks.notifications.channels.base import Line, Message, Sent
from runbooks.notifications.channels.domains import ascii_domain
from runbooks.notifications.channels.mail_line import MailLine
from runbooks.notifications.channels.mails import mail_address

LABEL, ADDRESS, EXAMPLE = "E-mail", "E-mail address", "name@example.org"
IS_SHORT = SIGNS = False


def is_configured() -> bool:
    return "email" in settings.NOTICE_CHANNELS


def clean(written: str) -> str:
    return mail_address(written)


def domain_of(address: str) -> str:
    return ascii_domain(address.rpartition("@")[2])


def shown(address: str) -> str:
    return address


@contextmanager
def line() -> Iterator[Line]:
    opened = MailLine()
    opened.open()
    try:
        yield opened
    finally:
        opened.close()


def send(message: Message) -> Sent:
    """One mail over a line of its own. Raises ChannelError."""
    with line() as opened:
        return opened.send(message)

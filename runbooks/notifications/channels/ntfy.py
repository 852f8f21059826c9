"""ntfy: a topic of its public server, or of one of the site's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings

from runbooks.notifications.channels.base import BadAddressError, Line, Message, Sent
from runbooks.notifications.channels.http import Caller, calling
from runbooks.notifications.channels.plain import brief, cut, harmless
from runbooks.notifications.channels.urls import clean_url, host_of, shown_url

LABEL, ADDRESS, EXAMPLE = "ntfy", "Topic address", "https://ntfy.sh/a-long-name-nobody-guesses"
IS_SHORT = SIGNS = False
# A longer text would be made a file of.
MOST_CHARACTERS, MOST_OF_TITLE = 1000, 200
USUAL, URGENT = 3, 5


def is_configured() -> bool:
    return "ntfy" in settings.NOTICE_CHANNELS


def clean(written: str) -> str:
    address = clean_url(written, EXAMPLE).rstrip("/")
    server, _, topic = address.rpartition("/")
    if not server.partition("://")[2] or "?" in address or not topic.replace("-", "").replace("_", "").isalnum():
        raise BadAddressError(f"Write the address of one topic, such as {EXAMPLE}.")
    return address


def domain_of(address: str) -> str:
    return host_of(address)


def shown(address: str) -> str:
    """A topic's name is its password."""
    return shown_url(address)


@contextmanager
def line() -> Iterator[Line]:
    with calling() as caller:
        yield _NtfyLine(caller)


@dataclass(frozen=True, slots=True)
class _NtfyLine:
    caller: Caller

    def send(self, message: Message) -> Sent:
        """As JSON: what stands in headers there would be cut at a line's end, or end them."""
        server, _, topic = message.address.rpartition("/")
        content = {
            "topic": topic,
            "title": cut(harmless(message.subject), MOST_OF_TITLE),
            "message": brief(message, MOST_CHARACTERS),
            "priority": URGENT if message.is_important else USUAL,
        }
        # The token is for the site's own server, and told to no other.
        is_own = settings.NTFY_TOKEN and server == settings.NTFY_URL
        headers = {"Authorization": f"Bearer {settings.NTFY_TOKEN}"} if is_own else {}
        answer = self.caller.call(f"{server}/", json=content, headers=headers)
        return Sent(str(self.caller.content_of(answer).get("id", "")))

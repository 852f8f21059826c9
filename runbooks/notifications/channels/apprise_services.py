"""What Apprise reaches besides: a contact address is one of its URLs.

It speaks to other machines by itself and not through runbooks.outbound, so it may speak to few: services whose host
stands in its code, and servers of the site's own that APPRISE_HOSTS names. Always by TLS, with the certificate checked
and no redirect followed: whoever has such a name lead to an inner machine gets a handshake that fails, and no request.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from apprise import NotifyFormat, NotifyType
from apprise.result import AppriseResult, AppriseResultStatus
from django.conf import settings

from runbooks.notifications.channels.apprise_places import EXAMPLE, host_of, opened, schema_of
from runbooks.notifications.channels.base import BadAddressError, ChannelError, Line, Message, Reason, Sent
from runbooks.notifications.channels.plain import brief, cut, harmless, without_mentions

LABEL, ADDRESS = "Another service (Apprise)", "Apprise URL"
IS_SHORT = SIGNS = False
STATUS: Final = re.compile(r"error=(\d{3})\b")


def is_configured() -> bool:
    return "apprise" in settings.NOTICE_CHANNELS


def clean(written: str) -> str:
    address = written.strip()
    if len(address) > 500 or not address.isascii() or not address.isprintable() or " " in address:
        raise BadAddressError(f"That is no Apprise URL. Write it as {EXAMPLE}.")
    opened(address)
    return address


def domain_of(address: str) -> str:
    return host_of(address)


def shown(address: str) -> str:
    return f"{schema_of(address)}://…"


@contextmanager
def line() -> Iterator[Line]:
    yield _AppriseLine()


class _AppriseLine:
    def send(self, message: Message) -> Sent:
        try:
            sender = opened(message.address)
        except BadAddressError as error:
            raise ChannelError(str(error), permanent=True, reason=Reason.ADDRESS_REFUSED) from error
        result = sender.notify(
            title=without_mentions(cut(harmless(message.subject), 200)),
            body=without_mentions(brief(message, 1000)),
            body_format=NotifyFormat.TEXT,
            notify_type=NotifyType.FAILURE if message.is_important else NotifyType.INFO,
        )
        if result.status != AppriseResultStatus.SUCCESS:
            raise _fault_of(result, host_of(message.address))
        return Sent()


def _fault_of(result: AppriseResult, host: str) -> ChannelError:
    """Apprise tells no reason but in its log, of which nothing is quoted but the status of the answer."""
    found = STATUS.search(" ".join(str(entry.message) for service in result.results for entry in service.logs()))
    status = int(found[1]) if found else 0
    if status in {400, 401, 403, 404, 410}:
        words = f"{host} refuses this address ({status})."
        return ChannelError(words, permanent=True, reason=Reason.ADDRESS_REFUSED, of_one_address=True)
    if status in {408, 425, 429, 503}:
        words = f"{host} asks to come later ({status})."
        return ChannelError(words, permanent=False, reason=Reason.BUSY, of_one_address=True)
    words = f"{host} fails ({status})." if status else f"{host} did not take the message. Apprise does not say why."
    return ChannelError(words, permanent=False, may_have_arrived=True, of_one_address=True)

"""Calls over HTTP, with their faults told in the words of channels."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from django.conf import settings

from runbooks import outbound
from runbooks.notifications.channels.base import ChannelError, Reason
from runbooks.outbound import OutboundError, Timeouts

TIMEOUTS: Final = Timeouts(connect=5, read=10, total=25)
MOST_ANSWER_BYTES: Final = 256 * 1024
NOT_NOW: Final = frozenset({408, 425, 429, 503})
REFUSED: Final = frozenset({401, 403, 407})
GONE: Final = frozenset({404, 410})
READING: Final = "GET"
PERHAPS: Final = " It may have taken the message all the same."


@dataclass(frozen=True, slots=True)
class Caller:
    """Makes calls over connections that are kept. `mend` names the settings of a service that the site chose; it is
    empty where people's own addresses are called, whose faults are then those of the address."""

    client: httpx.Client
    mend: str

    def call(self, url: str, *, method: str = "POST", **what: Any) -> httpx.Response:
        """An answer of 2xx, or of 4xx and 5xx where it is one of `taken`. Raises ChannelError."""
        taken = what.pop("taken", frozenset())
        try:
            response = self.client.request(method, url, **what)
        except OutboundError as error:
            raise self._lost(error, method) from error
        if response.status_code < 400 or response.status_code in taken:
            return response
        raise self.refused(response)

    def refused(self, response: httpx.Response) -> ChannelError:
        """What an answer says by its status alone. Its words are not quoted: they may repeat the message."""
        host, status = response.request.url.host, response.status_code
        if status in NOT_NOW:
            words = f"{host} asks to come later ({status})."
            return self.fault(words, Reason.BUSY, retry_after=self.wait_of(response))
        if status in REFUSED | GONE and self.mend:
            reason = Reason.SIGN_IN_REFUSED if status in REFUSED else Reason.NOT_CONFIGURED
            return self.fault(f"{host} refuses the portal’s own sign-in ({status}). {self.mend}", reason)
        if status in REFUSED | GONE:
            reason = Reason.ADDRESS_REFUSED if status in REFUSED else Reason.ADDRESS_GONE
            words = "takes no messages at this address any more" if status in GONE else "refuses this address"
            return self.fault(f"{host} {words} ({status}).", reason, permanent=True)
        if status >= 500 and response.request.method == READING:
            return self.fault(f"{host} fails ({status}).", Reason.FAULT)
        if status >= 500:
            return self.fault(f"{host} fails ({status}).{PERHAPS}", Reason.FAULT, may_have_arrived=True)
        return self.fault(f"{host} refuses the message ({status}).", Reason.MESSAGE_REFUSED, permanent=True)

    def fault(self, sentence: str, reason: Reason, *, permanent: bool = False, **more: Any) -> ChannelError:
        return ChannelError(sentence, permanent=permanent, reason=reason, of_one_address=not self.mend, **more)

    def wait_of(self, response: httpx.Response) -> float | None:
        return outbound.retry_after(response, datetime.now(UTC))

    def content_of(self, response: httpx.Response) -> dict[str, Any]:
        """The JSON object of an answer. One that is none says nothing of what became of the message."""
        try:
            content = outbound.content_of(response)
        except OutboundError:
            content = None
        if not isinstance(content, dict):
            sentence = f"{response.request.url.host} answered {response.status_code} with something unknown."
            late = response.request.method != READING
            raise self.fault(sentence + PERHAPS * late, Reason.FAULT, may_have_arrived=late)
        return content

    def _lost(self, error: OutboundError, method: str) -> ChannelError:
        late = error.may_have_arrived and method != READING
        sentence = f"{error}{PERHAPS}" if late else str(error)
        reason = Reason.TIMED_OUT if error.is_timeout else Reason.UNREACHABLE
        if error.permanent:
            reason = Reason.NOT_CONFIGURED if self.mend else Reason.ADDRESS_REFUSED
            sentence = f"{sentence} {self.mend}".strip()
        # What somebody can mend in the settings is tried again, unless it might then arrive twice.
        permanent = error.permanent and (not self.mend or late)
        return self.fault(sentence, reason, permanent=permanent, retry_after=error.retry_after, may_have_arrived=late)


@contextmanager
def calling(*, mend: str = "", base_url: str = "", headers: Mapping[str, str] | None = None) -> Iterator[Caller]:
    """Addresses people typed reach public networks, and those of NOTICE_PRIVATE_NETWORKS alone."""
    only = None if mend else settings.NOTICE_PRIVATE_NETWORKS
    try:
        client = outbound.client(
            base_url=base_url, headers=headers, timeout=TIMEOUTS, only_private=only, most_bytes=MOST_ANSWER_BYTES
        )
    except OutboundError as error:
        raise ChannelError(f"{error} {mend}", permanent=False, reason=Reason.NOT_CONFIGURED) from error
    with client:
        yield Caller(client, mend)

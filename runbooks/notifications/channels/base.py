"""What a channel is: one module that knows an address when it sees one, and carries a text there.

Whether the place may be used at all, who is reached by it and when is decided above it; a channel only sends, and says
truthfully how that went.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Reason(StrEnum):
    """Why a message did not leave, for machines; the sentence beside it is for people."""

    UNREACHABLE = "unreachable"  # no connection, or it broke off
    TIMED_OUT = "timed_out"
    BUSY = "busy"  # asks to come later: 421, 450, 429, 503
    FAULT = "fault"  # an answer that is its own fault: 5xx of HTTP, or nonsense
    SIGN_IN_REFUSED = "sign_in_refused"  # the portal's own
    NOT_CONFIGURED = "not_configured"
    ADDRESS_REFUSED = "address_refused"
    ADDRESS_GONE = "address_gone"
    MESSAGE_REFUSED = "message_refused"
    # Told by a provider after it had taken the message
    CAME_BACK = "came_back"
    NOT_ANSWERED = "not_answered"
    # Decided above the channels
    NO_ADDRESS = "no_address"
    UNTRUSTED = "untrusted"
    NOT_IN_INCIDENT = "not_in_incident"
    LOST = "lost"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    ACKNOWLEDGED = "acknowledged"


# Faults of the channel and not of one address: the circuit breaker counts these.
OF_THE_CHANNEL = frozenset(
    {
        Reason.UNREACHABLE,
        Reason.TIMED_OUT,
        Reason.BUSY,
        Reason.FAULT,
        Reason.SIGN_IN_REFUSED,
        Reason.NOT_CONFIGURED,
    }
)


# Faults of one address, for as long as nobody mends it there.
OF_THE_ADDRESS = frozenset({Reason.ADDRESS_REFUSED, Reason.ADDRESS_GONE})


@dataclass(frozen=True, slots=True)
class Message:
    """One rendered notice on its way to one address. `key` is the same whenever the same message is tried again.

    `call_back` is where a provider may tell later what became of it; empty where the portal cannot be called.
    `secret` is what calls to this address are signed with; empty but for channels that sign.
    """

    address: str
    subject: str
    body: str
    key: str
    is_exercise: bool = False
    is_important: bool = False
    language: str = "en-gb"
    call_back: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel took the message. `provider_id` is what it calls it; empty where it gives none."""

    provider_id: str = ""


class ChannelError(Exception):
    """The message did not leave, and the text says why in words for people.

    A permanent one is not tried again at this address. `retry_after`, in seconds, is what the other side asked for.
    `may_have_arrived`: whether it was taken is not known; tried again, with the same key, it may arrive twice.
    `of_one_address`: the server is one that this address names, and others of the channel have servers of their own.
    """

    def __init__(
        self,
        sentence: str,
        *,
        permanent: bool,
        reason: Reason = Reason.FAULT,
        retry_after: float | None = None,
        may_have_arrived: bool = False,
        of_one_address: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.permanent, self.reason = permanent, reason
        self.retry_after, self.may_have_arrived = retry_after, may_have_arrived
        self.of_one_address = of_one_address

    @property
    def is_of_the_channel(self) -> bool:
        """Whether messages to other addresses would fail as well: what the circuit breaker counts."""
        return self.reason in OF_THE_CHANNEL and not self.of_one_address


class BadAddressError(ValueError):
    """What was typed is no address of this channel; the text says how one is written."""


class Line(Protocol):
    """An open way to the other side, used for one message after the other."""

    def send(self, message: Message) -> Sent:
        """Carry it. Raises ChannelError."""


class Channel(Protocol):
    """What every module named in CHANNELS provides."""

    LABEL: str  # "Text message"
    ADDRESS: str  # what the field is called: "Mobile number"
    EXAMPLE: str  # "+44 7700 900123"
    IS_SHORT: bool  # only one or two sentences fit: it gets the brief text, whatever the sharing label
    SIGNS: bool  # a contact point of it has a secret of its own

    def is_configured(self) -> bool:
        """Whether the site's settings let it send."""

    def clean(self, written: str) -> str:
        """The address in its one spelling. Raises BadAddressError with how it is written."""

    def domain_of(self, address: str) -> str:
        """The host whose operator reads the message, in ASCII and lower case; empty for telephones."""

    def shown(self, address: str) -> str:
        """The address as colleagues may see it: enough to know it again, not enough to use a secret one."""

    def line(self) -> AbstractContextManager[Line]:
        """Open a way for any number of messages. Raises ChannelError. Never called inside a transaction."""

"""What a channel is: it says where a person is reached, whether that place is safe to use, and carries a text there."""

from dataclasses import dataclass
from typing import Protocol

from runbooks.access.models import User


@dataclass(frozen=True, slots=True)
class Message:
    """One rendered notice on its way to one address."""

    address: str
    subject: str
    body: str
    idempotency_key: str
    is_exercise: bool


class ChannelError(Exception):
    """The message did not leave, and the text says why in words for people. A permanent one is not tried again."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


class Channel(Protocol):
    """What every module named in CHANNELS provides."""

    LABEL: str

    def address_of(self, user: User) -> str:
        """Where this person is reached; empty when nothing is on file."""

    def refusal(self, address: str) -> str:
        """Why nothing may be sent to the address; empty when it may."""

    def send(self, message: Message) -> None:
        """Carry it. Raises ChannelError. Never called inside a transaction."""

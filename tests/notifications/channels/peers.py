"""The other side of every channel over HTTP, as its maker describes it: how it is set up, and what it answers."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs

from pytest_django import Settings

from ir_portal.environment import GATEWAY
from runbooks.notifications.channels import channel
from runbooks.notifications.channels.base import Message, Sent
from runbooks.outbound.signing import new_secret
from tests.connectors.served import Asked, Said, served

TOKEN = "xoxb-the-portals-own-secret"
PATH = "a-path-nobody-may-see"
ACCOUNT = "AC" + "0" * 32
MESSAGE = Message(
    address="",
    subject="TLP:GREEN IR-2026-0001: now contained",
    body="IR-2026-0001 is now contained.\n",
    key="0123456789abcdef" * 4,
)


@dataclass(frozen=True)
class Peer:
    """`is_theirs`: the address itself names the server, whose faults are that address's. `reads`: its answer is read.

    `expected` are the id it gives, and the text as it arrives there.
    """

    name: str
    channel: str
    address: str
    good: Said
    expected: tuple[str, Callable[[Asked], str]]
    set_up: Callable[[Settings, str], None] = lambda settings, url: None
    is_theirs: bool = False
    reads: bool = True


def _gateway(settings: Settings, url: str) -> None:
    settings.TEXT_PROVIDER = "gateway"
    settings.TEXT_GATEWAY = {
        **GATEWAY,
        "url": f"{url}/messages",
        "headers": {"Authorization": "Bearer {token}"},
        "body": {"to": "{number}", "text": "{text}"},
        "token": TOKEN,
    }


def _twilio(settings: Settings, url: str) -> None:
    settings.TEXT_PROVIDER, settings.TEXT_GATEWAY = "twilio", {}
    number = "+447700900999"
    settings.TWILIO = {"account": ACCOUNT, "token": TOKEN, "from": number, "voice_from": number, "url": url}


def _slack(settings: Settings, url: str) -> None:
    settings.SLACK_TOKEN, settings.SLACK_URL = TOKEN, f"{url}/api"


def _matrix(settings: Settings, url: str) -> None:
    settings.MATRIX_TOKEN, settings.MATRIX_HOMESERVER = TOKEN, url


def _form(name: str) -> Callable[[Asked], str]:
    return lambda asked: parse_qs(asked.body.decode())[name][0]


def _json(*names: str) -> Callable[[Asked], str]:
    def read(asked: Asked) -> str:
        found: Any = asked.content
        for name in names:
            found = found[int(name) if isinstance(found, list) else name]
        return str(found)

    return read


CARD = ("attachments", "0", "content", "body", "0", "inlines", "0", "text")
PEERS = [
    Peer("gateway", "text", "+447700900123", Said(202, {"id": "1"}), ("", _json("text")), _gateway, reads=False),
    Peer(
        "twilio",
        "text",
        "+447700900123",
        Said(201, {"sid": "SM1", "status": "queued"}),
        ("SM1", _form("Body")),
        _twilio,
    ),
    Peer(
        "calls",
        "voice",
        "+442079460100",
        Said(201, {"sid": "CA1", "status": "queued"}),
        ("CA1", _form("Twiml")),
        _twilio,
    ),
    Peer(
        "slack",
        "slack",
        "U012AB3CD45",
        Said(200, {"ok": True, "channel": "D1", "ts": "1.2"}),
        ("D1:1.2", _json("text")),
        _slack,
    ),
    Peer(
        "teams",
        "teams",
        f"{{url}}/workflows/{PATH}?sig=1",
        Said(202, b""),
        ("", _json(*CARD)),
        is_theirs=True,
        reads=False,
    ),
    Peer("mattermost", "mattermost", f"{{url}}/hooks/{PATH}", Said(200, b"ok"), ("", _json("text")), is_theirs=True),
    Peer("matrix", "matrix", "!room:example.org", Said(200, {"event_id": "$1"}), ("$1", _json("body")), _matrix),
    Peer("ntfy", "ntfy", f"{{url}}/{PATH}", Said(200, {"id": "n1"}), ("n1", _json("message")), is_theirs=True),
    Peer("webhook", "webhook", f"{{url}}/{PATH}", Said(204), (MESSAGE.key, _json("body")), is_theirs=True, reads=False),
]


@dataclass
class Place:
    """A peer that stands somewhere: it answers what a test says, and remembers what it was asked."""

    peer: Peer
    url: str
    answer: Callable[[Asked], Said]
    asked: list[Asked] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.peer.address.replace("{url}", self.url)

    def message(self, **changes: Any) -> Message:
        return replace(MESSAGE, address=self.address, secret=new_secret(), **changes)

    def send(self, **changes: Any) -> Sent:
        with channel(self.peer.channel).line() as line:
            return line.send(self.message(**changes))


@contextmanager
def standing(peer: Peer, settings: Settings) -> Iterator[Place]:
    settings.OUTBOUND_PRIVATE_NETWORKS = settings.NOTICE_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    with ExitStack() as stack:
        place: Place

        def take(asked: Asked) -> Said:
            place.asked.append(asked)
            return place.answer(asked)

        place = Place(peer, stack.enter_context(served(take)), lambda _: peer.good)
        peer.set_up(settings, place.url)
        yield place


def secrets_in(text: str) -> list[str]:
    """Which of what nobody may see stands in a text."""
    words = [TOKEN, PATH, MESSAGE.body.strip(), "7700900123", "2079460100", "whsec_", json.dumps(TOKEN)]
    return [word for word in words if word in text]

"""A request that is larger than any upload is ended, whether or not it says its length."""

import asyncio
from typing import Any

import pytest

from ir_portal.capped import Capped, Message, Receive, Scope, Send

LIMIT = 100


class Portal:
    """Reads a request to its end, as Django does, and answers."""

    def __init__(self) -> None:
        self.read = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            self.read += len(message["body"])
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200})


def ask(portal: Portal, parts: list[bytes], length: bytes | None) -> int:
    """The status of the answer to a body in these parts."""
    messages = [{"type": "http.request", "body": part, "more_body": n + 1 < len(parts)} for n, part in enumerate(parts)]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "headers": [(b"content-length", length)] if length is not None else []}
    asyncio.run(Capped(portal, LIMIT)(scope, receive, send))
    (start,) = [message for message in sent if message["type"] == "http.response.start"]
    status: int = start["status"]
    return status


def test_a_body_up_to_the_limit_is_handed_on() -> None:
    assert ask(Portal(), [b"x" * 60, b"x" * 40], b"100") == 200


@pytest.mark.parametrize("length", [b"101", b"9" * 18])
def test_one_that_says_it_is_larger_is_refused_unread(length: bytes) -> None:
    portal = Portal()
    assert ask(portal, [b"x"], length) == 413
    assert portal.read == 0


@pytest.mark.parametrize("length", [None, b"1", b"9" * 5000, b"-1", b"many"])
def test_one_that_says_nothing_or_something_else_is_ended_where_the_limit_is(length: bytes | None) -> None:
    portal = Portal()
    assert ask(portal, [b"x" * 60] * 1000, length) == 413
    assert portal.read <= LIMIT

"""Ends requests that are larger than any upload may be, before they fill the disk.

Under ASGI Django writes the whole body to a file before it looks at who asks, so the cap stands in front of it.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
WORDS = b"The request is larger than any upload may be. Send a smaller file.\n"


class Capped:
    """An ASGI application in front of another: 413 once a body has more than `limit` bytes."""

    def __init__(self, application: Application, limit: int) -> None:
        self.application = application
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            return message if came <= self.limit else {"type": "http.disconnect"}

        if _announced(scope) <= self.limit:
            await self.application(scope, counted, send)
            if came <= self.limit:
                return
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": WORDS})


def _announced(scope: Scope) -> int:
    """The length that the request says it has; 0 where it says none, and is counted as it comes."""
    length: bytes = dict(scope.get("headers", ())).get(b"content-length", b"")
    return int(length) if length.isdigit() and len(length) < 19 else 0

"""A file as an answer: always to keep, never to be shown. It may be the attacker's own."""

import base64
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from runbooks.errors import NotFoundError

HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
BYTES: Final = "application/octet-stream"
CHUNK: Final = 256 * 1024


class Parts:
    """A file, part by part, for a server that asks asynchronously: a FileResponse would be read there as a whole."""

    def __init__(self, content: "File[Any]") -> None:
        self.content = content
        self._read = sync_to_async(content.read, thread_sensitive=False)

    def __aiter__(self) -> "Parts":
        return self

    async def __anext__(self) -> bytes:
        part: bytes = await self._read(CHUNK)
        if not part:
            raise StopAsyncIteration
        return part

    def close(self) -> None:
        self.content.close()


def download(request: HttpRequest, path: str, name: str, sha256: str, note: Callable[[], object]) -> HttpResponseBase:
    """The bytes, streamed, with the digest they had when they came in. Raises NotFoundError where they are lost.

    `note` writes the reading down, before the first byte: where it fails, nothing is handed over or left open.
    """
    try:
        content = default_storage.open(path)
    except FileNotFoundError as error:
        raise NotFoundError("The file is not in the storage any more. Tell the auditors.") from error
    with ExitStack() as undo:
        undo.callback(content.close)
        note()
        undo.pop_all()
    response: StreamingHttpResponse
    if isinstance(request, ASGIRequest):
        response = StreamingHttpResponse(Parts(content), content_type=BYTES)
        response.headers["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
        response.headers["Content-Length"] = str(content.size)
    else:
        response = FileResponse(content, as_attachment=True, filename=name, content_type=BYTES)
    _set_headers(response, sha256)
    return response


def without_bytes(name: str, size: int, sha256: str) -> HttpResponse:
    """What HEAD is answered: the headers of a download, of which nobody reads anything."""
    response = HttpResponse(content_type=BYTES)
    response.headers["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response.headers["Content-Length"] = str(size)
    _set_headers(response, sha256)
    return response


def _set_headers(response: HttpResponseBase, sha256: str) -> None:
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"

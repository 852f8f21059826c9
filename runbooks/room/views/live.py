"""The live feed of an incident: server-sent events that say only "sequence n, m people here".

The page asks for what it has not got, so a lost event costs nothing. While a stream waits it holds no database
connection: hundreds of streams share a pool of ten.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.contrib.sessions.backends.cached_db import SessionStore
from django.core.handlers.asgi import ASGIRequest
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.models import User
from runbooks.access.permissions import actor_for, is_member
from runbooks.errors import NotFoundError
from runbooks.incidents.models import Incident
from runbooks.room.presence import people_here
from runbooks.timeline.live import hub

logger = logging.getLogger(__name__)

# Also how long somebody goes on hearing numbers after their membership or session ended.
HEARTBEAT_SECONDS = 15.0
STILL_HERE = b": still here\n\n"
# Tells the page not to come back.
ENDED = b"event: ended\ndata:\n\n"


@dataclass(frozen=True, slots=True)
class Ear:
    """Who hears of what, and by which session."""

    incident_id: UUID
    user_id: int
    session_key: str


@require_safe
async def stream(request: PortalRequest, incident_id: UUID) -> HttpResponseBase:
    """The stream; 404 to outsiders, 429 to too many streams of one person, 501 on a server that cannot stream."""
    actor = actor_of(request)
    if not await sync_to_async(is_member)(actor, incident_id):
        raise NotFoundError("There is no such incident, or you are not in it.")
    if not isinstance(request, ASGIRequest):
        return _plain("The live feed needs an ASGI server. Until then pages ask every 15 seconds.", 501)
    if not hub().has_room_for(request.user.pk):
        return _plain("You have too many pages open. Close some.", 429)
    ear = Ear(incident_id, request.user.pk, request.session.session_key or "")
    response = StreamingHttpResponse(_events(ear), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


def _plain(words: str, status: int) -> HttpResponse:
    return HttpResponse(words, status=status, content_type="text/plain; charset=utf-8")


async def _events(ear: Ear) -> AsyncIterator[bytes]:
    """Listen first and look afterwards, so that nothing falls between; then every change, and a heartbeat."""
    clock = asyncio.get_running_loop().time
    # Asked again: of many requests at once, all were let in before the first of them began to listen.
    if not hub().has_room_for(ear.user_id):
        return
    with hub().listening(ear.incident_id, ear.user_id) as listener:
        told, people, look_at = (0, 0), 0, clock()
        while True:
            is_heartbeat = clock() >= look_at
            if is_heartbeat:
                try:
                    seen = await sync_to_async(_look)(ear)
                except OperationalError as error:
                    logger.warning("A live stream ends, its page will come back: %s", error)
                    return
                if seen is None:
                    yield ENDED
                    return
                listener.tell(seen.head_sequence)
                people, look_at = seen.people, clock() + HEARTBEAT_SECONDS
            if (listener.sequence, people) != told:
                told = (listener.sequence, people)
                yield f"event: sequence\ndata: {told[0]} {told[1]}\n\n".encode()
            elif is_heartbeat:
                yield STILL_HERE
            await listener.wait(look_at - clock())


@dataclass(frozen=True, slots=True)
class Seen:
    head_sequence: int
    people: int


def _look(ear: Ear) -> Seen | None:
    """The newest number and how many people are here; None once the session or the membership has ended."""
    try:
        probe = HttpRequest()
        probe.session = SessionStore(ear.session_key)
        user = get_user(probe)
        if not isinstance(user, User) or user.pk != ear.user_id or not is_member(actor_for(user), ear.incident_id):
            return None
        head = Incident.objects.values_list("head_sequence", flat=True).get(pk=ear.incident_id)
    finally:
        # Given back to the pool: the stream now waits, perhaps for hours.
        connection.close()
    return Seen(head, people_here(ear.incident_id, ear.user_id))

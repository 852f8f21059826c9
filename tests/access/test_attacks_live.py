"""The live feed as an attacker would use it: many streams at once, and what a stream says."""

import asyncio
from uuid import uuid4

import pytest

from runbooks.room.views import live
from runbooks.timeline import live as hub_module
from runbooks.timeline.live import Hub


async def events(streams: int, monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    """The first event of each of so many streams of one person, all let in before any of them begins."""

    async def listen_to_nothing(hub: Hub) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Hub, "_run", listen_to_nothing)
    monkeypatch.setattr(live, "_look", lambda ear: live.Seen(7, 1))
    ear = live.Ear(uuid4(), 1, "a session")
    generators = [live._events(ear) for _ in range(streams)]
    heard = await asyncio.gather(*(anext(one, None) for one in generators))
    for one in generators:
        await one.aclose()
    hub = hub_module.hub()
    assert hub.has_room_for(1), "who closed their streams may open others"
    if hub._task is not None:
        hub._task.cancel()
    return [[event] for event in heard if event is not None]


def test_many_streams_asked_for_at_once_are_not_all_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "STREAMS_PER_USER", 3)
    heard = asyncio.run(events(50, monkeypatch))
    assert heard == [[b"event: sequence\ndata: 7 1\n\n"]] * 3

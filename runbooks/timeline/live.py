"""The hub of the live feed: one LISTEN connection an event loop, however many streams it feeds.

It only ever says "the newest entry of this incident has number n". Numbers rise, so a burst coalesces into its last,
and whoever was cut off is whole again with the next number.
"""

import asyncio
import logging
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from django.conf import settings

logger = logging.getLogger(__name__)

STREAMS_PER_USER = 20
# A connection that a firewall forgot looks alive for ever: every so often it is used.
PROBE_SECONDS = 30.0
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
# What was said while nobody listened is asked for: the incidents' newest numbers.
HEADS = """
SELECT listened, (SELECT max(sequence) FROM runbooks_timelineevent WHERE incident_id = listened)
FROM unnest(%s::uuid[]) AS listened
"""


class Listener:
    """One open stream: the newest number of its incident, and a way to wait for a newer one."""

    def __init__(self) -> None:
        self.sequence = 0
        self._told = asyncio.Event()

    def tell(self, sequence: int) -> None:
        if sequence > self.sequence:
            self.sequence = sequence
            self._told.set()

    async def wait(self, seconds: float) -> bool:
        """Whether a newer number came within this time."""
        try:
            async with asyncio.timeout(seconds):
                await self._told.wait()
        except TimeoutError:
            return False
        self._told.clear()
        return True


class Hub:
    """Feeds the listeners of one event loop. Its methods are called in that loop only."""

    def __init__(self) -> None:
        self._listeners: defaultdict[UUID, set[Listener]] = defaultdict(set)
        self._users: Counter[int] = Counter()
        self._task: asyncio.Task[None] | None = None

    def has_room_for(self, user_id: int) -> bool:
        """Whether this person may open another stream here."""
        return self._users[user_id] < STREAMS_PER_USER

    @contextmanager
    def listening(self, incident_id: UUID, user_id: int) -> Iterator[Listener]:
        """A listener to this incident for the length of the block."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="timeline hub")
        listener = Listener()
        self._users[user_id] += 1
        self._listeners[incident_id].add(listener)
        try:
            yield listener
        finally:
            self._users[user_id] -= 1
            self._listeners[incident_id].discard(listener)
            if not self._listeners[incident_id]:
                del self._listeners[incident_id]

    def _tell(self, incident_id: UUID, sequence: int) -> None:
        for listener in self._listeners.get(incident_id, ()):
            listener.tell(sequence)

    async def _run(self) -> None:
        """Listen for ever; a lost connection is made anew, and what was missed meanwhile asked for."""
        failures = 0
        while True:
            try:
                async with await _connect() as connection:
                    failures = 0
                    await self._listen(connection)
            except (psycopg.Error, OSError) as error:
                wait = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
                failures += 1
                logger.warning("The live feed lost the database, next try in about %s s: %s", wait, error)
                await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311  # spreads the tries, guards nothing

    async def _listen(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute("LISTEN timeline")
        while True:
            await self._catch_up(connection)
            async for notification in connection.notifies(timeout=PROBE_SECONDS):
                incident, _, sequence = notification.payload.partition(" ")
                self._tell(UUID(incident), int(sequence))

    async def _catch_up(self, connection: psycopg.AsyncConnection[Any]) -> None:
        cursor = await connection.execute(HEADS, [list(self._listeners)])
        for incident_id, sequence in await cursor.fetchall():
            self._tell(incident_id, sequence or 0)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop: a process has one, and so has each server a test starts."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())


async def _connect() -> psycopg.AsyncConnection[Any]:
    """A connection of its own: one from the pool would be kept for ever, and LISTEN dies with a pooler."""
    entry: Mapping[str, Any] = settings.DATABASES["default"]
    options = {name: value for name, value in entry["OPTIONS"].items() if name != "pool"}
    return await psycopg.AsyncConnection.connect(
        host=entry["HOST"],
        port=entry["PORT"],
        user=entry["USER"],
        password=entry["PASSWORD"],
        dbname=entry["NAME"],
        autocommit=True,
        connect_timeout=10,
        application_name="ir-portal live",
        **options,
    )

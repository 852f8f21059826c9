"""Exports that somebody asked for and no worker has taken down yet: in the cache, since no row holds them.

What is lost here is the notice on the page alone: the wish itself is with the broker, and the export a row once it is
taken down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.core.cache import cache
from redis.exceptions import RedisError

# What lies longer no worker takes any more: who asked may ask again.
SECONDS: Final = 3600
# Why nothing came of it is read within that time, or not at all.
REFUSED_SECONDS: Final = 300
MOST: Final = 10


class Stand(NamedTuple):
    """A wish for an export of that id. `refused` is why a worker did not take it down."""

    export_id: UUID
    format: str
    asked_at: datetime
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The newest wishes of one person in one incident."""

    incident_id: UUID
    user_id: int

    @property
    def _key(self) -> str:
        return f"exports-asked:{self.incident_id}:{self.user_id}"

    def add(self, stand: Stand) -> None:
        try:
            cache.set(_key_of(stand.export_id), stand, SECONDS)
            cache.set(self._key, [*cache.get(self._key, []), stand.export_id][-MOST:], SECONDS)
        except RedisError:
            return

    def stands(self) -> Sequence[Stand]:
        try:
            ids = cache.get(self._key, [])
            found = cache.get_many([_key_of(export_id) for export_id in ids]) if ids else {}
        except RedisError:
            return []
        return [found[key] for key in map(_key_of, ids) if key in found]


def refuse(export_id: UUID, reason: str) -> None:
    try:
        if (stand := cache.get(_key_of(export_id))) is not None:
            cache.set(_key_of(export_id), stand._replace(refused=reason), REFUSED_SECONDS)
    except RedisError:
        return


def forget(export_id: UUID) -> None:
    try:
        cache.delete(_key_of(export_id))
    except RedisError:
        return


def _key_of(export_id: UUID) -> str:
    return f"export-asked:{export_id}"

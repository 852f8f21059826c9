"""How far a verification is that somebody asked for. In the cache: auditors ask, and write nothing to the database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.core.cache import cache
from redis.exceptions import RedisError

# Longer than any walk: who asked and never saw it begin may ask again.
SECONDS: Final = 300


class Stand(NamedTuple):
    """`done` is None while no worker has begun."""

    asked_by: str
    asked_at: datetime
    done: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    incident_id: UUID

    @property
    def _key(self) -> str:
        return f"verify:{self.incident_id}"

    def ask(self, asked_by: str, at: datetime) -> bool:
        """False where somebody asked before, and that has not ended."""
        try:
            return bool(cache.add(self._key, Stand(asked_by, at, None), SECONDS))
        except RedisError:
            return True

    def tell(self, done: int) -> None:
        try:
            if (stand := cache.get(self._key)) is not None:
                cache.set(self._key, stand._replace(done=done), SECONDS)
        except RedisError:
            return

    def end(self) -> None:
        try:
            cache.delete(self._key)
        except RedisError:
            return

    def stand(self) -> Stand | None:
        try:
            found = cache.get(self._key)
        except RedisError:
            return None
        return found if isinstance(found, Stand) else None

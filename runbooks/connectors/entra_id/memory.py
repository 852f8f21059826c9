"""What the portal's workers remember together of their requests, in its cache.

Graph shows a change up to a minute late, so a read does not tell what was just done. Losing the memory costs a repeated
write, which changes nothing; it never makes a wrong one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from django.core.cache import cache
from redis.exceptions import RedisError

from runbooks.connectors.base import Action, ConnectorError, Values
from runbooks.connectors.entra_id.token import Clock

KEPT_SECONDS: Final = 24 * 3600
LOCKED_SECONDS, AGAIN_SECONDS = 75, 2.0
"""Longer than a read and a write may take (session.TIMEOUTS), so that a killed worker blocks nobody for long."""


@dataclass(frozen=True, slots=True)
class Mark:
    """That a request dealt with an account: what it was before, and until when a read may not show it."""

    before: Values
    sessions_before: str
    """Since when the sessions of the account counted, until they were ended."""
    fresh_until: float


class Done:
    """The accounts one request has dealt with."""

    def __init__(self, place: str, action: Action, key: str) -> None:
        self._place = f"{place}\0{action}\0{key}"

    def of(self, ids: Sequence[str]) -> dict[str, Mark]:
        places = {self._at(one): one for one in ids}
        with suppress(RedisError):
            return {places[at]: mark for at, mark in cache.get_many(list(places)).items()}
        return {}

    def add(self, marks: Mapping[str, Mark]) -> None:
        with suppress(RedisError):
            cache.set_many({self._at(one): mark for one, mark in marks.items()}, KEPT_SECONDS)

    def _at(self, account_id: str) -> str:
        return f"entra_id:done:{_digest(f'{self._place}{chr(0)}{account_id}')}"


class Pending:
    """Who was put into a policy or taken out of it so lately that reading it may not show it yet."""

    def __init__(self, place: str, seconds: float, clock: Clock) -> None:
        self._at, self._seconds, self._clock = f"entra_id:policy:{_digest(place)}", seconds, clock

    @contextmanager
    def held(self) -> Iterator[None]:
        """One worker at a time: a policy is read, changed and written whole, and the later writer would win."""
        with _told():
            if not cache.add(f"{self._at}:held", 1, LOCKED_SECONDS):
                raise ConnectorError(
                    "The policy is being changed for other accounts.", permanent=False, retry_after=AGAIN_SECONDS
                )
        try:
            yield
        finally:
            with suppress(RedisError):
                cache.delete(f"{self._at}:held")

    def now(self) -> dict[str, bool]:
        """Object id to whether it is in."""
        return {one: is_in for one, (is_in, _) in self._fresh().items()}

    def add(self, change: Mapping[str, bool]) -> None:
        until = self._clock.now().timestamp() + self._seconds
        kept = {**self._fresh(), **{one: (is_in, until) for one, is_in in change.items()}}
        with suppress(RedisError):
            cache.set(self._at, kept, KEPT_SECONDS)

    def _fresh(self) -> dict[str, tuple[bool, float]]:
        now = self._clock.now().timestamp()
        with _told():
            kept: dict[str, tuple[bool, float]] = cache.get(self._at, {})
        return {one: (is_in, until) for one, (is_in, until) in kept.items() if until > now}


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise ConnectorError(
            "The portal's cache does not answer, without which a policy is not changed safely.",
            permanent=False,
            retry_after=AGAIN_SECONDS,
        ) from error


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()

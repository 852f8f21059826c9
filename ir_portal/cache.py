"""Valkey as the cache: Django's own backend with one client for the process.

Django makes a client for every look-up, which costs twice what the look-up does, and under ASGI a connection for every
request. A client is safe to share between threads, and opens its connections anew after a fork.
"""

from functools import cache
from typing import Any, Final

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import Redis

# A Valkey that is silent is as good as one that is down: else each request would wait for it without end.
SILENT_SECONDS: Final = 2.0


@cache
def client_of(server: str) -> Redis:
    return Redis.from_url(server, socket_timeout=SILENT_SECONDS, socket_connect_timeout=SILENT_SECONDS)


class SharedClient(RedisCacheClient):
    """One server is read and written: what was just kept is never asked of a replica that does not have it yet."""

    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, **options)
        self.server = servers[0]

    def get_client(self, key: object = None, *, write: bool = False) -> Redis:
        return client_of(self.server)


class Cache(RedisCache):
    def __init__(self, server: str, params: dict[str, object]) -> None:
        super().__init__(server, params)
        self._class = SharedClient

"""How many people have an incident open. Kept in Valkey, so that it holds over all web processes."""

import time
from functools import cache
from uuid import UUID

import redis
from django.conf import settings

# Streams say every 15 seconds that they are there; who is silent for longer has gone.
GONE_AFTER_SECONDS = 40


def people_here(incident_id: UUID, user_id: int) -> int:
    """Note that this person is here, and say how many people are. Without Valkey it is only this one."""
    key, now = f"here:{incident_id}", time.time()
    try:
        with _valkey().pipeline() as pipeline:
            pipeline.zadd(key, {str(user_id): now + GONE_AFTER_SECONDS})
            pipeline.zremrangebyscore(key, "-inf", now)
            pipeline.zcard(key)
            pipeline.expire(key, GONE_AFTER_SECONDS)
            return int(pipeline.execute()[2])
    except redis.RedisError:
        return 1


@cache
def _valkey() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)

"""What is counted from an incident's rows, kept until the incident changes.

Every change of an incident writes its timeline entry in the same transaction, and the entry moves the head of the
chain. So what is read from those rows is a function of the head: kept under the head's hash it is exact, not merely
recent, and nothing has to be told to forget it. What depends on the clock or on the person is worked out from the kept
value. What changes without an entry (notices, presence, names of users) is never kept.

A value is pickled into the cache: plain rows and frozen dataclasses. Another release may want it in another shape, so
the key also names the code that computed it.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar, cast
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.core.cache import cache as valkey
from django.db import connection
from redis.exceptions import RedisError

from runbooks.incidents.models import Incident

# Long enough for an incident that rests, short enough that the heads of a busy one do not fill the cache.
SECONDS = 600
MISSING = object()
Value = TypeVar("Value")


def at_head(incident: Incident, name: str, compute: Callable[[UUID], Value]) -> Value:
    """The value of `compute(incident.pk)`, kept while the incident's head stays where it is.

    The incident is one that was read from the database, outside a transaction: inside one it might tell of changes
    that are never committed, so there the value is computed and not kept. Without a cache everything is computed.
    """
    if not settings.SNAPSHOTS or not incident.head_sequence or connection.in_atomic_block:
        return compute(incident.pk)
    key = f"snapshot:{_code()}:{incident.pk}:{incident.head_sequence}:{incident.head_hash[:32]}:{name}"
    try:
        kept = valkey.get(key, MISSING)
    except RedisError:
        return compute(incident.pk)
    if kept is not MISSING:
        return cast(Value, kept)
    value = compute(incident.pk)
    # Rows that changed while they were read belong to a later head.
    if Incident.objects.filter(pk=incident.pk, head_hash=incident.head_hash).exists():
        _keep(key, value)
    return value


@cache
def _code() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(apps.get_app_config("runbooks").path).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _keep(key: str, value: object) -> None:
    try:
        valkey.set(key, value, SECONDS)
    except RedisError:
        return

"""/healthz: whether the database, the broker and a worker answer, for a load balancer without a sign-in."""

import threading
import time
from http import HTTPStatus

import psycopg
import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError

from ir_portal.celery import app

FRESH_SECONDS = 2.0
PART_SECONDS = 2


class LastCheck:
    """One check at a time, its answer good for FRESH_SECONDS, so that asking often costs the engines nothing."""

    def __init__(self) -> None:
        self._checking = threading.Lock()
        self._answer: dict[str, bool] = {}
        self._good_until = 0.0

    def answer(self) -> dict[str, bool]:
        """Whether each part answers, at most FRESH_SECONDS old when the parts are quick to answer."""
        first = not self._answer
        if time.monotonic() < self._good_until or not self._checking.acquire(blocking=first):
            return self._answer
        try:
            if time.monotonic() >= self._good_until:
                self._answer = check()
                self._good_until = time.monotonic() + FRESH_SECONDS
            return self._answer
        finally:
            self._checking.release()

    def forget(self) -> None:
        """Check anew when next asked."""
        self._good_until = 0.0


last_check = LastCheck()


def check() -> dict[str, bool]:
    """Ask the three parts now; the worker only where the broker carries the question."""
    broker = _broker_answers()
    return {"database": _database_answers(), "broker": broker, "worker": broker and _worker_answers()}


def _database_answers() -> bool:
    """Log in afresh: the pool would wait 10 s for a server that is gone, and for other requests when all are busy."""
    parameters = connection.get_connection_params() | {"connect_timeout": PART_SECONDS}
    try:
        with psycopg.connect(**parameters) as session:
            session.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def _broker_answers() -> bool:
    limits = {"socket_timeout": PART_SECONDS, "socket_connect_timeout": PART_SECONDS}
    try:
        with redis.Redis.from_url(settings.CELERY_BROKER_URL, **limits) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _worker_answers() -> bool:
    """Ask over the broker and take the first reply. A heartbeat would only say that a worker lived a while ago."""
    try:
        return bool(app.control.ping(timeout=PART_SECONDS, limit=1))
    except (OperationalError, redis.RedisError):
        return False


@never_cache
@login_not_required
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 once all three answer, else 503; which of them do not stands in the body, and nothing else does."""
    parts = last_check.answer()
    body = {part: "answers" if answers else "does not answer" for part, answers in parts.items()}
    status = HTTPStatus.OK if all(parts.values()) else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse(body, status=status)

"""Chains, reminders and the watchdog in the background: swept by the clock, the database's.

One incident in which something fails, or that others hold for long, is in nobody's way: it is logged and tried again
the next time, and the watchdog says when that does not help.
"""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from celery import shared_task
from django.db import DatabaseError
from django.utils import timezone

from runbooks.notifications.operations import pulse
from runbooks.reminders.clock import database_now
from runbooks.reminders.operations import beating, moving, nudging, reminding, watching
from runbooks.reminders.queries.health import HEARTBEAT, WATCH

logger = logging.getLogger(__name__)
T = TypeVar("T")


@shared_task(name="reminders.chains", ignore_result=True)
def chains() -> None:
    due = moving.chains_due(database_now())
    done, failed = _each(
        due, lambda one: moving.move_chain(chain_id=one[0], incident_id=one[1], at=database_now()) is not None
    )
    pulse("reminders.chains", _said(done, failed, "moved"))


@shared_task(name="reminders.remind", ignore_result=True)
def remind() -> None:
    due = reminding.incidents_to_remind(database_now())
    said, failed = _each(due, lambda one: reminding.remind(incident_id=one, at=database_now()))
    lacking = nudging.incidents_to_nudge(database_now())
    nudged, failed_too = _each(lacking, lambda one: nudging.nudge(incident_id=one, at=database_now()))
    pulse("reminders.remind", _said(said + nudged, failed + failed_too, "said"))


@shared_task(name=WATCH, ignore_result=True)
def watch() -> None:
    found = watching.watch(at=database_now(), own=timezone.now())
    for fault in found:
        logger.error("Watchdog: %s", fault.sentence)
    if said := beating.beat(found):
        pulse(HEARTBEAT, said)
    pulse(WATCH, f"{len(found)} wrong" if found else "All is well")


def _each(things: Iterable[T], do: Callable[[T], int]) -> tuple[int, int]:
    """Do it with each; the sum of what was done, and with how many it failed."""
    done = failed = 0
    for one in things:
        try:
            done += do(one)
        except DatabaseError as error:
            failed += 1
            logger.warning("%s waits for the next time: %s", one, error)
        except Exception:
            failed += 1
            logger.exception("%s broke off", one)
    return done, failed


def _said(done: int, failed: int, word: str) -> str:
    return f"{done} {word}" + (f", {failed} failed" if failed else "")

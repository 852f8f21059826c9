"""Carrying actions out in the background: woken one by one, swept by the clock.

An error nobody foresaw ends the attempt with a word to people: the sweep would else begin it again for ever. Trouble
with the portal's own database is left to the sweep, which can say no word either.
"""

import logging
from uuid import UUID

from celery import shared_task
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from runbooks.actions.operations import finishing, previewing, running, sweeping, verifying
from runbooks.notifications.operations import pulse

logger = logging.getLogger(__name__)


@shared_task(name="actions.preview", ignore_result=True)
def preview(action_id: str) -> None:
    try:
        previewing.preview(action_id=UUID(action_id), clock=timezone.now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("The preview of action %s broke off", action_id)
        previewing.give_up(action_id=UUID(action_id), at=timezone.now())


@shared_task(name="actions.run", ignore_result=True)
def run(action_id: str) -> None:
    try:
        running.run(action_id=UUID(action_id), clock=timezone.now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("The run of action %s broke off", action_id)
        finishing.break_off(action_id=UUID(action_id), at=timezone.now())


@shared_task(name="actions.verify", ignore_result=True)
def verify(action_id: str) -> None:
    try:
        verifying.verify(action_id=UUID(action_id), clock=timezone.now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("Reading action %s back broke off", action_id)
        verifying.give_up(action_id=UUID(action_id), at=timezone.now())


@shared_task(name="actions.sweep", ignore_result=True)
def sweep() -> None:
    sweeping.sweep(at=timezone.now())
    pulse("actions.sweep")

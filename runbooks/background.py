"""The doors to Celery: `wake` from a transaction, `hand_over` for what nothing but the broker will know of."""

import logging
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


class NoBrokerError(Exception):
    """The broker cannot be reached: nothing was handed over."""


def wake(task: str, **arguments: int | str) -> None:
    """Ask a worker to run a task, by name, once the transaction commits.

    A lost wake-up is no loss: whatever is due also stands in a row that a sweep finds. So a dead broker is logged,
    and the change that was just committed stays a success.
    """

    # A named function, not a partial: Django 5.2's robust callbacks read __qualname__ when one fails.
    def send() -> None:
        try:
            current_app.send_task(task, kwargs=arguments, retry=False)
        except OperationalError:
            logger.warning("No broker: %s waits for the sweep", task)

    transaction.on_commit(send, robust=True)


def hand_over(task: str, *, expires: int, **arguments: Any) -> None:
    """Give a worker, at once, what no row holds; `arguments` are JSON. Raises NoBrokerError.

    `expires` in seconds: what no worker took by then, none will. A task may come twice, as always.
    """
    try:
        current_app.send_task(task, kwargs=arguments, retry=False, expires=expires)
    except OperationalError as error:
        raise NoBrokerError(task) from error

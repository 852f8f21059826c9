"""Having a worker do what an auditor may ask for: the request itself writes nothing to the database."""

from typing import Any

from runbooks.background import NoBrokerError, hand_over
from runbooks.errors import DomainError


class CannotHandOverError(DomainError):
    """No worker can be told of it: the broker is away. Nothing was asked for."""

    status = 503

    def __init__(self, command: str) -> None:
        super().__init__(
            "The portal cannot tell its workers now: its broker does not answer. Nothing was asked for. Try again in a "
            f"minute. If this stays, tell an administrator: “manage.py {command}” on the server needs no worker."
        )


def hand(task: str, *, expires: int, command: str, **arguments: Any) -> None:
    """Hand it to a worker, who has `expires` seconds to begin. `command` does the same. Raises CannotHandOverError."""
    try:
        hand_over(task, expires=expires, **arguments)
    except NoBrokerError as error:
        raise CannotHandOverError(command) from error

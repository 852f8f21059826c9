"""From an action to the system it acts on."""

from contextlib import AbstractContextManager

from runbooks.actions.models import Action
from runbooks.connectors import connection
from runbooks.connectors.base import Connector


def connection_of(action: Action) -> AbstractContextManager[Connector]:
    """The connector of an action whose incident is loaded: an exercise gets a simulated one with a world of its own."""
    incident = action.incident
    return connection(action.connection, exercise=incident.is_exercise, world=str(incident.pk))

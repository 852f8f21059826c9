"""The lock of an incident, for what the clock does: never waited for long, since others are due as well."""

from uuid import UUID

from django.db import connection

from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock

WITHIN = "5s"


def lock_soon(incident_id: UUID) -> Incident:
    """The incident, locked, as every operation does first. Raises OperationalError where others hold it for long.

    It waits its turn rather than passing over a busy incident: one that thousands of holders answer to at once is
    locked at nearly every moment, and its chains must move all the same.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [WITHIN])
    return lock(incident_id)

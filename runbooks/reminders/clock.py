"""The time by which chains, reminders and the watchdog decide: the database's, of which there is one.

Workers are many and their clocks drift; one that is an hour ahead would call people too early, one that is behind too
late. What is due stands in the database, so its clock decides, and a worker whose own differs is told of.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import connection

# More than a slow query takes, less than anybody would call right.
SKEW: Final = timedelta(seconds=30)


def database_now() -> datetime:
    """The present moment, not the start of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def skew(own: datetime, databases: datetime) -> timedelta | None:
    """By how much this machine's clock is ahead (negative: behind); None where it is near enough."""
    ahead = own - databases
    return ahead if abs(ahead) > SKEW else None

"""Statements that the server plans once a connection: those behind which everybody of an incident waits in line."""

from typing import Any

import psycopg
from django.db import transaction
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper


class _Logged(CursorDebugWrapper):
    """Keeps the statement as it was written: of a prepared one psycopg does not know any more what it sent."""

    def execute(self, sql: Any, params: Any = None) -> Any:
        with self.debug_sql(sql, params):
            return CursorWrapper.execute(self, sql, params)


def prepared() -> CursorWrapper:
    """A cursor for statements whose text is always the same, to be used in a `with`.

    Django's writes the parameters into the statement, so that each is another one; with this one they go beside it.
    Otherwise each is a query as every other: counted, watched, its errors translated.
    """
    connection = transaction.get_connection()
    connection.ensure_connection()
    wrapper = _Logged if connection.queries_logged else CursorWrapper
    return wrapper(psycopg.Cursor(connection.connection), connection)

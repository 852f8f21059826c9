"""What PostgreSQL itself counts as written in this transaction, whoever writes it and by whatever way."""

from django.db import connection

WRITES = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"


def writes() -> dict[str, int]:
    """{table: rows inserted, changed and deleted in this transaction}, those included that were taken back."""
    with connection.cursor() as cursor:
        cursor.execute(WRITES)
        return dict(cursor.fetchall())


def written(before: dict[str, int]) -> set[str]:
    return {table for table, count in writes().items() if count > before.get(table, 0)}

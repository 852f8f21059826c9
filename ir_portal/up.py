"""`make demo`: the whole portal on one machine, in order: PostgreSQL, Valkey, data, mail sink, worker, beat, web.

Ctrl-C (or TERM, or the end of one of them) stops all in reverse. PORT is the port of the web pages, RUN_DIR the folder
of the data. Exit status: 0 when asked to stop, 1 when a part failed, 2 when the portal could not begin.
"""

import fcntl
import hashlib
import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import psycopg

from ir_portal.celery import app
from ir_portal.embedded import EngineError, database_url, engines, mail_port, port_is_free, run_dir
from ir_portal.engines.state import folder, folder_errors, free_port, keep, state
from ir_portal.mail_sink import text_gateway
from ir_portal.supervisor import Part, PartError, Supervisor

REPOSITORY = Path(__file__).resolve().parent.parent
WORKER = "demo@localhost"
LOOPBACK = "127.0.0.1/32"
# There is no second worker to look for, which would take a second at each start.
ALONE = ("--without-mingle", "--without-gossip", "--loglevel", "INFO")


def parts(port: int) -> list[Part]:
    """What runs once the data is there, in the order of starting."""
    celery = (sys.executable, "-m", "celery", "--app", "ir_portal")
    schedule = str(folder("beat") / "schedule")
    return [
        Part("mail-sink", (sys.executable, "-m", "ir_portal.mail_sink"), _mail_sink_greets),
        Part(
            "worker",
            (*celery, "worker", "--pool", "threads", "--concurrency", "4", *ALONE, "--hostname", WORKER),
            _worker_answers,
        ),
        Part("beat", (*celery, "beat", "--loglevel", "INFO", "--schedule", schedule, "--pidfile", ""), _beat_started),
        Part(
            "web",
            (
                *(sys.executable, "-m", "uvicorn", "ir_portal.asgi:application", "--host", "127.0.0.1"),
                *("--port", str(port), "--timeout-graceful-shutdown", "2", "--no-access-log"),
            ),
            lambda log: _is_healthy(port),
        ),
    ]


def up(port: int) -> None:
    """Run the portal until interrupted. Raises EngineError before it begins, PartError afterwards."""
    with _only_one(), engines(_say) as in_use:
        _settle_mail_port()
        _settle_text_port()
        supervisor = Supervisor(folder("logs"), _say, in_use)
        try:
            _prepare()
            _settle_signing_key()
            for part in parts(port):
                supervisor.start(part)
            _greet(port)
            supervisor.watch()
        finally:
            try:
                _on_signals(signal.SIG_IGN)
            finally:
                supervisor.stop()


def _settle_mail_port() -> None:
    keep(replace(state(), mail_port=free_port(state().mail_port, "The mail sink")))


def _settle_text_port() -> None:
    """Text messages go to the sink, too, unless TEXT_GATEWAY names another gateway."""
    port = free_port(state().mail_port + 1, "The sink of text messages")
    os.environ["TEXT_SINK_PORT"] = str(port)
    if "TEXT_GATEWAY" not in os.environ:
        os.environ["TEXT_GATEWAY"] = text_gateway(port)
        allowed = os.environ.get("OUTBOUND_PRIVATE_NETWORKS")
        os.environ["OUTBOUND_PRIVATE_NETWORKS"] = f"{allowed},{LOOPBACK}" if allowed else LOOPBACK


def _prepare() -> None:
    """Bring the tables up to date, and load the demonstration into an empty portal."""
    mark = run_dir() / "migrated"
    with psycopg.connect(database_url(), autocommit=True) as connection:
        schema = _schema(connection)
        # A migrate with nothing to do still takes seconds, for all it has to load first.
        if not mark.exists() or mark.read_text(encoding="ascii") != schema:
            _say("Preparing the database")
            _manage("migrate", "--no-input")
            mark.write_text(schema, encoding="ascii")
        row = connection.execute("SELECT EXISTS (SELECT FROM runbooks_incident)").fetchone()
    if row is not None and not row[0]:
        _say("Loading the demonstration incident, once")
        _manage("demo")


def _settle_signing_key() -> None:
    """Where no other is named, a key of the demonstration's own to sign checkpoints with, beside its data."""
    if "SIGNING_KEY" in os.environ or "SIGNING_KEY_FILE" in os.environ:
        return
    path = run_dir() / "signing-key"
    os.environ["SIGNING_KEY_FILE"] = str(path)
    with psycopg.connect(database_url(), autocommit=True) as connection:
        row = connection.execute("SELECT EXISTS (SELECT FROM runbooks_signingkey)").fetchone()
    if row is not None and not row[0]:
        _manage("signing_key", "create", "--file", str(path))


def _schema(connection: psycopg.Connection) -> str:
    """What the tables of this very database follow from: our migrations, and the packages that bring theirs."""
    database = "SELECT system_identifier, oid FROM pg_control_system(), pg_database WHERE datname = current_database()"
    digest = hashlib.sha256(repr(connection.execute(database).fetchone()).encode())
    for package in ("Django", "django-allauth"):
        digest.update(importlib.metadata.version(package).encode())
    for migration in sorted((REPOSITORY / "runbooks" / "migrations").glob("*.py")):
        digest.update(migration.read_bytes())
    return digest.hexdigest()


def _manage(*arguments: str) -> None:
    log = folder("logs") / f"{arguments[0]}.log"
    with log.open("wb") as output:
        command = [sys.executable, str(REPOSITORY / "manage.py"), *arguments]
        status = subprocess.run(command, stdout=output, stderr=output, check=False).returncode
    if status:
        last = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
        raise PartError(f"manage.py {arguments[0]} failed: {last}\nLog: {log}")


def _mail_sink_greets(log: Path) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", mail_port()), timeout=1) as session:
            return session.recv(64).startswith(b"220 mail-sink")
    except OSError:
        return False


def _worker_answers(log: Path) -> bool:
    return bool(app.control.ping(destination=[WORKER], timeout=0.3, limit=1))


def _beat_started(log: Path) -> bool:
    return b"beat: Starting" in log.read_bytes()


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _greet(port: int) -> None:
    _say(f"\nIR Portal is ready: http://localhost:{port}/")
    sign_ins = run_dir() / "sign-ins.json"
    if sign_ins.exists():
        _say(f"\n{'Role':<16} {'User name':<24} Password")
        for person in json.loads(sign_ins.read_text(encoding="utf-8")):
            _say(f"{person['role']:<16} {person['username']:<24} {person['password']}")
    _say(f"\nMail and text messages sent: http://localhost:{port}/mail-sink/")
    _say("Ctrl-C stops everything; the data stays.")


@contextmanager
def _only_one() -> Iterator[None]:
    with folder_errors():
        lock = (folder() / "up.lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EngineError(
                f"IR Portal already runs from {run_dir()}.\nUse it, stop it, or choose another folder: RUN_DIR=/path."
            ) from None
        yield


def _web_port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise EngineError(f"PORT is {text!r}. Write a number from 1 to 65535.")
    port = int(text)
    if not port_is_free(port):
        raise EngineError(
            f"Port {port} cannot be used: another program listens there, or it needs more rights.\n"
            f"Stop that program, or choose another port: PORT={port + 1 if port < 65535 else 8000} make demo"
        )
    return port


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Stop, once: make, a shell or an impatient hand may send the same signal twice, and stopping keeps its order."""
    _on_signals(signal.SIG_IGN)
    raise KeyboardInterrupt


def _on_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """Run until Ctrl-C; see above for the exit status."""
    _on_signals(_interrupt)
    os.chdir(REPOSITORY)
    try:
        port = _web_port()
        os.environ.setdefault("PORTAL_URL", f"http://localhost:{port}")
        os.environ.setdefault("MAIL_SINK", "1")
        up(port)
    except KeyboardInterrupt:
        _say("Stopped.")
    except EngineError as error:
        print(error, file=sys.stderr)
        return 2
    except PartError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Where the engines' data, ports and password are, and how their processes are told from others."""

import errno
import importlib.util
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "ir_portal"
# Below 32768, where Linux begins to hand out ports to outgoing connections.
PORTS = range(20_000, 32_000)
SMTP_PORT = 25
REFUSALS = {errno.EACCES, errno.EPERM, errno.EROFS}
Report = Callable[[str], None]


class EngineError(Exception):
    """An engine cannot be started or reached; the text says why, and the mend."""


@dataclass(frozen=True, slots=True)
class State:
    """What is kept between runs, so that a second process finds the engines of the first."""

    postgres_port: int
    valkey_port: int
    mail_port: int
    password: str


def run_dir() -> Path:
    """The folder of data, keys and logs: RUN_DIR, or `.run` in the repository."""
    chosen = os.environ.get("RUN_DIR")
    return Path(chosen).absolute() if chosen else Path(__file__).resolve().parents[2] / ".run"


def folder(name: str = "") -> Path:
    """A folder of the data folder, made when missing, for its owner only."""
    path = run_dir() / name
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def database_url() -> str:
    """DATABASE_URL, or the embedded PostgreSQL's; whether it runs is another matter. Raises EngineError."""
    if not is_embedded("DATABASE_URL"):
        return os.environ["DATABASE_URL"]
    return f"postgres://{NAME}:{state().password}@127.0.0.1:{state().postgres_port}/{NAME}"


def redis_url() -> str:
    """REDIS_URL, or the embedded Valkey's; whether it runs is another matter. Raises EngineError."""
    if not is_embedded("REDIS_URL"):
        return os.environ["REDIS_URL"]
    return f"redis://:{state().password}@127.0.0.1:{state().valkey_port}/0"


def mail_port() -> int:
    """The port of the demonstration's mail sink; 25 where the engines are somebody else's, as in production."""
    ours = is_embedded("DATABASE_URL") or is_embedded("REDIS_URL") or _state_file().exists()
    return state().mail_port if ours else SMTP_PORT


def is_embedded(variable: str) -> bool:
    """Whether the engine is ours: DATABASE_URL or REDIS_URL does not name another one."""
    return not os.environ.get(variable)


def state() -> State:
    """Ports and password of the embedded engines, made on first need. Raises EngineError."""
    with folder_errors():
        if not _state_file().exists():
            postgres, valkey, mail = _free_ports(3)
            keep(State(postgres, valkey, mail, secrets.token_urlsafe(24)), first=True)
        try:
            return State(**json.loads(_state_file().read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise EngineError(
                f"{_state_file()} cannot be understood.\nPut its backup back, or delete {run_dir()} to begin afresh."
            ) from None


def keep(kept: State, *, first: bool = False) -> None:
    """Write the state whole or not at all; of two that write it first, one wins and both read the winner's."""
    new = folder() / f"engines.json.{os.getpid()}"
    new.touch(mode=0o600)
    new.write_text(json.dumps(asdict(kept), indent=1), encoding="utf-8")
    if first:
        with suppress(FileExistsError):
            os.link(new, _state_file())
        new.unlink()
    else:
        new.replace(_state_file())


def _state_file() -> Path:
    return run_dir() / "engines.json"


def free_port(port: int, engine: str) -> int:
    """The engine's port, or another one, told, when somebody else took it since the last run."""
    if port_is_free(port):
        return port
    (other,) = _free_ports(1)
    print(f"Port {port} is used by another program; {engine} listens on {other} from now on.", file=sys.stderr)
    return other


def port_is_free(port: int) -> bool:
    """Whether nothing listens on the port of this machine's loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_ports(count: int) -> list[int]:
    free = [port for port in secrets.SystemRandom().sample(PORTS, 60) if port_is_free(port)]
    if len(free) < count:
        raise EngineError("No free port was found on 127.0.0.1.\nSet DATABASE_URL and REDIS_URL to engines elsewhere.")
    return free[:count]


def is_alive(pid_file: Path, name: str) -> bool:
    """Whether the process the file names lives and is that program, not a later one with the same number."""
    try:
        pid = int(pid_file.read_text(encoding="ascii").split()[0])
        if not Path("/proc/self").exists():
            shown = subprocess.run(["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
            return name in shown.stdout
        program, _, rest = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").partition(" (")[2].rpartition(") ")
    except (OSError, ValueError, IndexError):
        return False
    return name in program and not rest.startswith("Z")


def package(name: str) -> Path:
    """The folder of an installed package, without running any of its code. Raises EngineError."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise EngineError(f"The package {name} is not installed.\nRun: make install")
    return Path(found.origin).parent


@contextmanager
def folder_errors() -> Iterator[None]:
    """Turn what the file system refuses into a message with its mend."""
    try:
        yield
    except OSError as error:
        what = "cannot be written" if error.errno in REFUSALS else (error.strerror or str(error)).lower()
        raise EngineError(
            f"{error.filename or run_dir()}: {what}.\n"
            f"The data folder is {run_dir()}. Make it writable, or choose another one: RUN_DIR=/path/to/folder."
        ) from error


def why(engine: str, log: str, said: str) -> EngineError:
    """The first reason in what the engine said, and where the rest of it is."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    reason = next((line for line in lines if "FATAL" in line or "error:" in line), lines[-1] if lines else "no reason")
    reason = reason.partition("FATAL:")[2].strip() or reason
    return EngineError(f"{engine} did not start: {reason.rstrip('.')}.\nIts log is {run_dir() / 'logs' / log}.")

"""The order of starting and stopping, with small programs in place of the real ones."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ir_portal.supervisor import Part, PartError, Supervisor

REPOSITORY = Path(__file__).resolve().parents[2]
STAND_IN = """
import signal, sys, time
name, journal = sys.argv[1:]
def write(line):
    with open(journal, "a") as file:
        file.write(f"{name} {line}\\n")
def stop(*_):
    write("stopped")
    sys.exit()
signal.signal(signal.SIGTERM, stop)
write("started")
time.sleep(0.05)
write("ready")
print("ready", flush=True)
time.sleep(60)
"""


def says_ready(log: Path) -> bool:
    return b"ready" in log.read_bytes()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path, lambda line: None, grace_seconds=5)
    yield made
    made.stop()


def stand_in(name: str, journal: Path) -> Part:
    return Part(name, (sys.executable, "-S", "-c", STAND_IN, name, str(journal)), says_ready, seconds=10)


def program(name: str, source: str, seconds: float = 10) -> Part:
    return Part(name, (sys.executable, "-S", "-c", source), says_ready, seconds)


def test_each_starts_when_the_one_before_is_ready_and_they_stop_in_reverse(
    supervisor: Supervisor, journal: Path
) -> None:
    for name in ("broker", "worker", "web"):
        supervisor.start(stand_in(name, journal))
    supervisor.stop()

    assert journal.read_text().splitlines() == [
        *("broker started", "broker ready", "worker started", "worker ready", "web started", "web ready"),
        *("web stopped", "worker stopped", "broker stopped"),
    ]


def test_one_that_ends_by_itself_is_named_with_its_status_and_log(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(program("worker", "import sys, time; print('ready', flush=True); time.sleep(0.2); sys.exit(3)"))
    with pytest.raises(PartError, match=f"worker ended with status 3. Log: {tmp_path}/worker.log"):
        supervisor.watch()


def test_one_that_ends_before_it_is_ready_fails_at_once(supervisor: Supervisor) -> None:
    with pytest.raises(PartError, match="beat ended with status 1"):
        supervisor.start(program("beat", "raise SystemExit(1)"))


def test_one_that_was_killed_is_told_by_its_signal(supervisor: Supervisor) -> None:
    supervisor.start(
        program("web", "import os, time; print('ready', flush=True); time.sleep(0.1); os.kill(os.getpid(), 9)")
    )
    with pytest.raises(PartError, match="web ended by signal 9"):
        supervisor.watch()


def test_one_that_is_never_ready_fails_after_its_time_and_is_stopped(supervisor: Supervisor) -> None:
    with pytest.raises(PartError, match=r"web was not ready in 0 seconds\. Log: .*web\.log"):
        supervisor.start(program("web", "import time; time.sleep(60)", seconds=0.2))
    (_, process) = supervisor.running[0]
    supervisor.stop()
    assert process.returncode == -signal.SIGTERM


def test_one_that_ignores_the_request_to_stop_is_killed(supervisor: Supervisor) -> None:
    supervisor.grace_seconds = 0.2
    source = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    supervisor.start(program("worker", source))
    (_, process) = supervisor.running[0]
    supervisor.stop()
    assert process.returncode == -signal.SIGKILL


def test_ctrl_c_in_the_terminal_does_not_reach_the_parts(supervisor: Supervisor, journal: Path) -> None:
    supervisor.start(stand_in("web", journal))
    (_, process) = supervisor.running[0]
    assert os.getpgid(process.pid) != os.getpgid(0)


def test_a_killed_supervisor_leaves_nothing_behind(tmp_path: Path) -> None:
    script = f"""
import sys, time
from pathlib import Path
from ir_portal.supervisor import Part, Supervisor
supervisor = Supervisor(Path({str(tmp_path)!r}), lambda line: None)
command = (sys.executable, "-S", "-c", "print('ready', flush=True); import time; time.sleep(60)")
supervisor.start(Part("web", command, lambda log: b"ready" in log.read_bytes()))
print(supervisor.running[0][1].pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE) as running:
        assert running.stdout
        part = int(running.stdout.readline())
        running.kill()
    deadline = time.monotonic() + 10
    while is_running(part):
        assert time.monotonic() < deadline, "The part outlived its supervisor."
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False

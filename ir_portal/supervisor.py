"""An ordered supervisor: each process starts when the one before is ready, and they stop in reverse."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
# Of Linux; elsewhere a killed supervisor leaves its processes behind.
prctl = getattr(ctypes.CDLL(None), "prctl", None)


class PartError(Exception):
    """A process ended by itself or did not become ready; the text names it and its log."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process: `ready` is asked until it says so, with the log it has written since its start."""

    name: str
    command: Sequence[str]
    ready: Callable[[Path], bool]
    seconds: float = 60.0


@dataclass(slots=True)
class Supervisor:
    """Starts, watches and stops parts. `inherited` are file descriptors the parts get, so that locks outlive us."""

    logs: Path
    report: Callable[[str], None]
    inherited: Collection[int] = ()
    grace_seconds: float = 15.0
    running: list[tuple[Part, subprocess.Popen[bytes]]] = field(default_factory=list)

    def start(self, part: Part) -> None:
        """Start the part and return when it is ready. Raises PartError."""
        self.report(f"Starting {part.name}")
        with self._log(part).open("wb") as log:
            # A session of its own: Ctrl-C reaches the supervisor alone, which then keeps the order.
            process = subprocess.Popen(
                part.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_the_supervisor,
                pass_fds=self.inherited,
            )
        self.running.append((part, process))
        deadline = time.monotonic() + part.seconds
        while not part.ready(self._log(part)):
            self._check(part, process)
            if time.monotonic() > deadline:
                raise PartError(f"{part.name} was not ready in {part.seconds:.0f} seconds. Log: {self._log(part)}")
            time.sleep(0.05)

    def watch(self) -> None:
        """Return never; raise PartError as soon as one of them ends."""
        while True:
            for part, process in self.running:
                self._check(part, process)
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop all, the last started first; who does not end within the grace is killed."""
        while self.running:
            part, process = self.running.pop()
            self.report(f"Stopping {part.name}")
            process.terminate()
            try:
                process.wait(self.grace_seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _check(self, part: Part, process: subprocess.Popen[bytes]) -> None:
        if (status := process.poll()) is not None:
            ended = f"by signal {-status}" if status < 0 else f"with status {status}"
            raise PartError(f"{part.name} ended {ended}. Log: {self._log(part)}")

    def _log(self, part: Part) -> Path:
        return self.logs / f"{part.name}.log"


def _end_with_the_supervisor() -> None:
    """Runs in the child: even when the supervisor is killed, its processes get a TERM and leave nothing behind."""
    if prctl:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

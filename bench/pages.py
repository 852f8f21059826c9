"""The pages of a large incident next to a bare Django view, signed in, at eight clients.

The incident has 9,000 affected accounts and 1,000,000 timeline entries (--quick: 100,000). The portal and the bare view
(bare.py: one keyset query of 50 rows, one plain template) are served by two gunicorns with the same settings: two
processes of four threads (gthread, which keeps connections), one pool of connections each. They are loaded in turns by
the same process: each page between two rounds of the bare view, and its ratio is that of their requests a second.
"""

import json
import os
import secrets
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ground import REPOSITORY
from harness import Claim, conclude, is_quick, portal
from seeding import large_incident
from visit import addresses, queries, session_of

from ir_portal.engines.state import port_is_free

BENCH = Path(__file__).resolve().parent
CLIENTS = 8
ACCOUNTS = 9_000
GUNICORN = ("--worker-class", "gthread", "--workers", "2", "--keep-alive", "30")
THREADS = 4
QUIETLY = ("--no-control-socket", "--log-level", "warning", "--graceful-timeout", "1")
BARE_SHARE, DEEP_AT_MOST = 0.5, 1.2
FIRST, DEEPEST = "timeline, first page", "timeline, deepest page"


@dataclass(frozen=True, slots=True)
class Prepared:
    """The addresses to load by name, the cookie of a session, and what the bare view is to show."""

    addresses: dict[str, str]
    cookie: str
    queries: dict[str, int]
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Slice:
    """What one load of one side gave."""

    rate: float
    p50: float
    p95: float
    load_share: float
    size: int


Ask = Callable[[int, str, str, float], Slice]


def main() -> int:
    quick = is_quick(__doc__)
    entries, rounds, seconds = (100_000, 5, 0.35) if quick else (1_000_000, 7, 1.5)
    # The pages are asked for here, too, where nobody serves their style sheets.
    warnings.filterwarnings("ignore", message="No directory at")
    with portal() as folder, ExitStack() as running:
        began = time.perf_counter()
        prepared = prepare(entries)
        print(f"{ACCOUNTS:,} accounts and {entries:,} entries seeded in {time.perf_counter() - began:.0f} s")
        bare = running.enter_context(served("bare", folder, prepared.environment))
        ask = running.enter_context(load())
        with served("ir_portal.wsgi", folder, {}) as ours:
            kept = measure(prepared, ours, bare, ask, rounds, seconds)
        print(f"\nMedians of {rounds} rounds, {CLIENTS} clients; the load's own share of a core (load).")
        show(kept, prepared.queries)
        if not quick:
            with served("ir_portal.wsgi", folder, {"SNAPSHOTS": "0"}) as ours:
                anew = measure(prepared, ours, bare, ask, 3, seconds)
            print("\nFor comparison: every count made anew for every page (SNAPSHOTS=0).")
            show(anew, {})
        return conclude("pages", claims(kept))


def prepare(entries: int) -> Prepared:
    """Seed the incident and find the way to its pages."""
    incident = large_incident(accounts=ACCOUNTS, entries=entries)
    found = addresses(incident)
    cookie = session_of(incident.lead)
    return Prepared(found.pages, cookie, queries(found.pages, cookie), found.bare_environment)


@contextmanager
def served(module: str, folder: Path, environment: dict[str, str], threads: int = THREADS) -> Iterator[int]:
    """The application behind gunicorn on a port of the loopback, until the block ends."""
    port = next(port for port in iter(lambda: 20_000 + secrets.randbelow(12_000), 0) if port_is_free(port))
    command = [sys.executable, "-m", "gunicorn", f"{module}:application", "--bind", f"127.0.0.1:{port}"]
    place = {"PYTHONPATH": f"{REPOSITORY}:{BENCH}", "DJANGO_SETTINGS_MODULE": "ir_portal.settings"}
    with (folder / f"{module}.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, *GUNICORN, "--threads", str(threads), *QUIETLY],
            env={**os.environ, **place, **environment},
            cwd=REPOSITORY,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(port, server, folder / f"{module}.log")
        yield port
    finally:
        server.terminate()
        server.wait(15)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"The server did not answer.\n{log.read_text(errors='replace')[-2000:]}")


@contextmanager
def load() -> Iterator[Ask]:
    """The process that asks; what it is given is a port, a path, a cookie and for how long."""
    command = [sys.executable, str(BENCH / "load.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise SystemExit("The load cannot be started.")
        into, out = process.stdin, process.stdout

        def ask(port: int, path: str, cookie: str, seconds: float) -> Slice:
            task = {"port": port, "path": path, "cookie": cookie, "seconds": seconds, "clients": CLIENTS}
            into.write(json.dumps(task) + "\n")
            into.flush()
            if not (line := out.readline()):
                raise SystemExit("The load ended early; its reason stands above.")
            got: dict[str, Any] = json.loads(line)
            rate, share = got["requests"] / got["seconds"], got["cpu"] / got["seconds"]
            return Slice(rate, got["p50"] * 1000, got["p95"] * 1000, share, got["size"])

        yield ask
        into.close()


@dataclass(frozen=True, slots=True)
class Measured:
    """What each side gave in each round, and each page's ratio to the rounds of the bare view around it."""

    slices: dict[str, list[Slice]]
    ratios: dict[str, list[float]]


def measure(prepared: Prepared, ours: int, bare: int, ask: Ask, rounds: int, seconds: float) -> Measured:
    for path in prepared.addresses.values():
        ask(ours, path, prepared.cookie, seconds / 2)
    last = ask(bare, "/", "", seconds)
    slices: dict[str, list[Slice]] = defaultdict(list)
    ratios: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for name, path in prepared.addresses.items():
            page, after = ask(ours, path, prepared.cookie, seconds), ask(bare, "/", "", seconds * 0.6)
            ratios[name].append(page.rate / statistics.mean((last.rate, after.rate)))
            slices[name].append(page)
            slices["bare view"].append(after)
            last = after
    return Measured(slices, ratios)


def claims(measured: Measured) -> list[Claim]:
    pairs = zip(measured.slices[FIRST], measured.slices[DEEPEST], strict=True)
    deep = statistics.median(first.rate / deepest.rate for first, deepest in pairs)
    shares = measured.ratios.items()
    found = [Claim(name, statistics.median(each), BARE_SHARE, at_least=True) for name, each in shares]
    return [*found, Claim("timeline, time of the deepest page to the first", deep, DEEP_AT_MOST)]


def show(measured: Measured, queries: dict[str, int]) -> None:
    print(f"{'':26}{'req/s':>7}{'p50 ms':>8}{'p95 ms':>8}{'KB':>7}{'load':>6}{'queries':>9}   ratio (least to most)")
    for name in ("bare view", *measured.ratios):
        rate, p50, p95, share, size = (
            statistics.median(getattr(each, field) for each in measured.slices[name]) for field in Slice.__slots__
        )
        each = sorted(measured.ratios.get(name, ()))
        said = f"{statistics.median(each):.2f} ({each[0]:.2f} to {each[-1]:.2f})" if each else ""
        asked = queries.get(name, 1 if name == "bare view" else "")
        print(f"{name:26}{rate:7.0f}{p50:8.1f}{p95:8.1f}{size / 1000:7.1f}{share:6.0%}{asked:>9}   {said}")


if __name__ == "__main__":
    sys.exit(main())

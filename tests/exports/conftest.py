"""A bundle of 200 entries for tests of the verifier, a key to sign with for tests of the seal, and workers."""

import json
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from pytest_django import DjangoDbBlocker

from runbooks.exports.models import SigningKey
from tests.exports.bundles import VERIFIER, Parts, make_chain, write
from tests.exports.sealing import use_new_key


@pytest.fixture(scope="package")
def real(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> bytes:
    """As the portal writes it. What it was made from is gone again before the first test."""
    with django_db_blocker.unblock(), transaction.atomic():
        raw, _ = write(make_chain())
        transaction.set_rollback(True)
    return raw


@pytest.fixture
def parts(real: bytes) -> Parts:
    return Parts.of(real)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ed25519 by a library and without ssh-keygen: what plain Python makes of it has tests of its own."""

    def holds(public: bytes, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    monkeypatch.setattr(VERIFIER, "ed25519_holds", holds)
    monkeypatch.setattr(VERIFIER, "ask_ssh_keygen", lambda *asked: ("ssh-keygen was not asked", True))


@pytest.fixture
def key(db: None, settings: Any, tmp_path: Path) -> SigningKey:
    return use_new_key(settings, tmp_path)


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """[(task, its arguments)]: what was handed to a worker, who does nothing."""
    found: list[tuple[str, dict[str, Any]]] = []

    def keep(task: str, *, expires: int, **arguments: Any) -> None:
        found.append((task, json.loads(json.dumps(arguments))))

    monkeypatch.setattr("runbooks.exports.operations.handing.hand_over", keep)
    return found


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker who does what is handed over before the page comes back."""

    def do(task: str, *, expires: int, **arguments: Any) -> None:
        current_app.tasks[task](**json.loads(json.dumps(arguments)))

    monkeypatch.setattr("runbooks.exports.operations.handing.hand_over", do)

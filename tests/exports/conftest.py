"""A bundle of 200 entries for tests of the verifier, and a key to sign with for tests of the seal."""

from pathlib import Path
from typing import Any

import pytest
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

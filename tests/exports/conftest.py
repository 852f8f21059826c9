"""A key to sign with."""

from pathlib import Path
from typing import Any

import pytest

from runbooks.exports.models import SigningKey
from tests.exports.sealing import use_new_key


@pytest.fixture
def key(db: None, settings: Any, tmp_path: Path) -> SigningKey:
    return use_new_key(settings, tmp_path)

"""What no row names is found after a day, and nothing else."""

import os
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils import timezone

from runbooks.attachments.storing import address
from runbooks.attachments.sweeping import leftovers, remove
from tests.attachments.conftest import Attach, in_storage

pytestmark = pytest.mark.django_db


def swept(*arguments: str) -> str:
    said = StringIO()
    call_command("sweep_attachments", *arguments, stdout=said)
    return said.getvalue()


def left(name: str, *, days: float) -> str:
    path = default_storage.save(name, ContentFile(b"left"))
    then = (timezone.now() - timedelta(days=days)).timestamp()
    os.utime(default_storage.path(path), (then, then))
    return path


@pytest.fixture
def empty_storage() -> None:
    for path in in_storage():
        Path(default_storage.path(path)).unlink()


@pytest.mark.usefixtures("empty_storage")
def test_only_old_files_that_no_row_names_are_removed(attach: Attach) -> None:
    kept = attach().stored.name
    os.utime(default_storage.path(kept), (0, 0))
    old = left(address(os.urandom(32).hex()), days=2)
    beside = left(kept, days=2)
    new = left(address(os.urandom(32).hex()), days=0.9)
    older_kind = left(f"evidence/{os.urandom(16).hex()}/{os.urandom(16).hex()}", days=400)
    assert "2 left over" in swept()
    assert in_storage() == {kept, old, beside, new, older_kind}
    assert "2 of 2 removed" in swept("--remove")
    assert in_storage() == {kept, new, older_kind}
    assert swept("--remove") == "Nothing is left over.\n"


@pytest.mark.usefixtures("empty_storage")
def test_what_was_attached_since_it_was_listed_stays(attach: Attach) -> None:
    content = os.urandom(20)
    path = attach(content).stored.name
    then = timezone.now() + timedelta(days=2)
    assert list(leftovers(then)) == []
    one = left(address(os.urandom(32).hex()), days=2)
    found = next(iter(leftovers(timezone.now())))
    os.utime(default_storage.path(one))
    assert not remove(found)
    assert in_storage() == {path, one}

"""The signing key: made once, read from outside the database, exchanged, published for ever, and never shown."""

import os
import re
import stat
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.exports import keys, signing
from runbooks.exports.models import SigningKey
from runbooks.exports.operations.checkpoints import make_checkpoint
from runbooks.incidents.models import Incident
from tests.exports.sealing import bundle_of
from tests.factories import make_entry

pytestmark = pytest.mark.django_db
VERIFIER = site.BASE_DIR / "docs" / "verify_export.py"


@pytest.fixture
def path(settings: Any, tmp_path: Path) -> Path:
    settings.SIGNING_KEY_FILE = str(tmp_path / "signing-key")
    return tmp_path / "signing-key"


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("signing_key", *arguments, stdout=out)
    return out.getvalue()


def test_a_key_is_made_in_a_file_that_its_owner_alone_reads(path: Path) -> None:
    os.umask(0o022)
    text = said("create")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = SigningKey.objects.get()
    assert key.fingerprint in text
    assert key.fingerprint == keys.fingerprint_at_hand() == keys.held().key.fingerprint
    assert key.made_by == "Command line"
    listed = subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, text=True, check=True).stdout
    assert key.fingerprint in listed


def test_nothing_that_the_command_or_an_error_says_holds_the_private_part(path: Path, settings: Any) -> None:
    text = said("create") + said("list") + said("rotate") + said("list")
    secrets = [line for file in path.parent.iterdir() for line in file.read_text().splitlines()[1:-1]]
    assert len(secrets) > 6
    assert not [line for line in secrets if line in text]
    settings.SIGNING_KEY = path.read_text().replace("OPENSSH", "OPENSSL")
    trouble = keys.problem()
    assert trouble is not None
    assert not [line for line in secrets if line in str(trouble) + repr(trouble)]
    settings.SIGNING_KEY = ""
    assert not [line for line in secrets if line in repr(keys.held())]


def test_a_file_that_is_there_is_never_overwritten(path: Path) -> None:
    path.with_name("other").write_text("mine")
    with pytest.raises(CommandError, match="not overwritten"):
        said("create", "--file", str(path.with_name("other")))
    assert path.with_name("other").read_text() == "mine"
    said("create")
    before = path.read_text()
    with pytest.raises(CommandError, match="already"):
        said("create")
    assert path.read_text() == before


def test_a_link_to_another_file_is_not_followed(path: Path) -> None:
    path.with_name("victim").write_text("mine")
    path.with_name("link").symlink_to(path.with_name("victim"))
    with pytest.raises(CommandError):
        said("create", "--file", str(path.with_name("link")))
    assert path.with_name("victim").read_text() == "mine"


def test_a_key_from_the_environment_is_published_and_not_written_anywhere(settings: Any, tmp_path: Path) -> None:
    pair = signing.make_key()
    settings.SIGNING_KEY = pair.private.replace("\n", "\\n")
    assert "Published SHA256:" in said("create")
    assert keys.held().key.public_key == pair.public
    assert not list(tmp_path.iterdir())


def test_a_rotation_signs_with_the_new_one_at_once_and_keeps_the_old_one_published(path: Path) -> None:
    said("create")
    old = keys.held().key
    text = said("rotate")
    new = keys.held().key
    assert new.pk != old.pk
    old.refresh_from_db()
    assert old.retired_at is not None
    assert new.retired_at is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = next(path.parent.glob("signing-key.retired-*"))
    assert str(kept) in text
    assert signing.fingerprint(signing.public_line(kept.read_text())) == old.fingerprint
    listed = said("list").splitlines()
    assert "retired" in listed[0]
    assert "at hand, current" in listed[1]


def test_a_retired_key_signs_nothing_more(path: Path) -> None:
    said("create")
    said("retire", keys.held().key.fingerprint)
    with pytest.raises(keys.NoKeyError, match="is retired"):
        keys.held()
    with pytest.raises(CommandError, match="retired already"):
        said("retire", SigningKey.objects.get().fingerprint)


@pytest.mark.parametrize("content", ["", "not a key", "ü", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_what_is_no_key_is_said_with_its_mend(content: str, path: Path) -> None:
    path.write_text(content)
    with pytest.raises(keys.NoKeyError) as error:
        keys.held()
    assert error.value.mend
    assert [one.id for one in keys.check_key(None)] == ["runbooks.W001"]


def test_the_check_tells_of_no_key_and_of_one_that_others_can_read(path: Path, settings: Any) -> None:
    assert "SIGNING_KEY_FILE" in keys.check_key(None)[0].msg
    said("create")
    assert keys.check_key(None) == []
    path.chmod(0o640)
    assert [one.id for one in keys.check_key(None)] == ["runbooks.W002"]
    settings.SIGNING_KEY_FILE = ""
    (found,) = keys.check_key(None)
    assert "create" in str(found.hint)
    assert not found.is_serious()


def test_the_public_parts_are_there_for_anybody_and_may_be_kept(path: Path) -> None:
    said("create")
    said("rotate")
    response = Client().get(reverse("signers"))
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    assert "public" in response["Cache-Control"]
    assert not response.cookies
    first, second = response.text.splitlines()
    old, new = SigningKey.objects.order_by("pk")
    assert first.endswith(old.public_key)
    assert "valid-before=" in first
    assert second.endswith(new.public_key)
    assert "valid-before=" not in second
    assert re.search(r'namespaces="ir-portal",valid-after="\d{14}Z"', second)
    assert reverse("signers") == "/.well-known/ir-portal-signers"


def test_ssh_keygen_takes_the_published_file_and_minds_when_a_key_retired(path: Path, tmp_path: Path) -> None:
    said("create")
    signature = keys.held().sign(b"data")
    SigningKey.objects.update(made_at=timezone.now() - timedelta(days=9), retired_at=timezone.now() - timedelta(days=2))
    (tmp_path / "signers").write_text(keys.published())
    (tmp_path / "sig").write_text(signature)

    def verifies(days_ago: int) -> bool:
        moment = f"{timezone.now() - timedelta(days=days_ago):%Y%m%d%H%M%S}Z"
        command = ["ssh-keygen", "-Y", "verify", "-f", "signers", "-I", "ir-portal", "-n", "ir-portal", "-s", "sig"]
        command += [f"-Overify-time={moment}"]
        return subprocess.run(command, input=b"data", cwd=tmp_path, capture_output=True, check=False).returncode == 0

    assert verifies(3)
    assert not verifies(1)
    assert not verifies(20)


def test_a_bundle_is_held_against_when_its_key_was_in_use(path: Path, incident: Incident, tmp_path: Path) -> None:
    said("create")
    SigningKey.objects.update(made_at=timezone.now() - timedelta(days=9))
    make_entry(incident)
    make_checkpoint(incident_id=incident.pk, reason="asked", at=timezone.now())
    (tmp_path / "bundle.zip").write_bytes(bundle_of(incident))

    def verdict() -> tuple[int, str]:
        (tmp_path / "signers").write_text(keys.published())
        command = [sys.executable, "-S", "-I", str(VERIFIER), "bundle.zip", "--signers", "signers"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    status, text = verdict()
    assert status == 0, text
    assert "ssh-keygen says the same" in text
    SigningKey.objects.update(retired_at=timezone.now() + timedelta(seconds=2))
    assert verdict()[0] == 0
    SigningKey.objects.update(retired_at=timezone.now() - timedelta(days=1))
    status, text = verdict()
    assert status == 1
    assert "the key was not in use" in text

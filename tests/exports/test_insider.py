"""Somebody who holds database and key rewrites the past. The portal cannot tell; what a witness kept does."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as site
from django.core import mail
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.exports import keys, tasks
from runbooks.exports.models import SigningKey
from runbooks.exports.operations.checkpoints import make_checkpoint, sent_form
from runbooks.exports.operations.verifying import verify
from runbooks.exports.operations.witnessing import add_witness
from runbooks.incidents.models import Incident
from tests.exports.sealing import bundle_of, ticking, use_new_key
from tests.exports.tampering import rewrite, sign_again
from tests.factories import make_entry

pytestmark = pytest.mark.django_db
VERIFIER = site.BASE_DIR / "docs" / "verify_export.py"


def check(folder: Path, *more: str) -> tuple[int, str]:
    command = [sys.executable, "-S", "-I", str(VERIFIER), "bundle.zip", "--signers", "signers", *more]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def witnessed(incident: Incident, key: SigningKey, administrator: User, tmp_path: Path) -> Path:
    """What a witness got by mail, saved as a file."""
    at, actor = timezone.now(), actor_for(administrator)
    add_witness(name="Records office", channel="mail", address="records@auditors.example", actor=actor, at=at)
    for number in range(1, 9):
        make_entry(incident, f"Entry {number}")
    make_checkpoint(incident_id=incident.pk, reason="periodic", at=at)
    tasks.witness()
    (tmp_path / "message.eml").write_bytes(mail.outbox[0].message().as_bytes())
    (tmp_path / "signers").write_text(keys.published())
    return tmp_path / "message.eml"


def test_the_insider_satisfies_the_portal_and_not_the_witness(
    witnessed: Path, incident: Incident, tmp_path: Path
) -> None:
    (tmp_path / "bundle.zip").write_bytes(bundle_of(incident))
    status, said = check(tmp_path, "--checkpoint", "message.eml")
    assert status == 0, said

    rewrite(incident, 3, "Nobody was told")
    sign_again(incident, keys.private_part())
    found = verify(incident_id=incident.pk, whole=True, asked_by="Records auditor", clock=ticking())
    assert found.broken_at is None  # all that the portal can know agrees

    (tmp_path / "bundle.zip").write_bytes(bundle_of(incident))
    status, said = check(tmp_path)
    assert status == 0, said
    status, said = check(tmp_path, "--checkpoint", "message.eml")
    assert status == 1
    assert "at that entry the chain has another hash" in said


def test_a_checkpoint_that_somebody_forged_for_a_witness_is_told_from_a_real_one(
    witnessed: Path, incident: Incident, settings: object, tmp_path: Path
) -> None:
    (tmp_path / "bundle.zip").write_bytes(bundle_of(incident))
    make_entry(incident, "One more")
    use_new_key(settings, tmp_path, "stolen-nothing")
    forged = make_checkpoint(incident_id=incident.pk, reason="periodic", at=timezone.now())
    assert forged is not None
    (tmp_path / "forged.json").write_bytes(sent_form(forged).line)
    status, said = check(tmp_path, "--checkpoint", "forged.json")
    assert status == 1, said
    assert "not among the signers" in said

"""Whether the bytes are still those that came in."""

import os

import pytest
from django.core.files.storage import default_storage

from runbooks.attachments.queries import Finding, verify_attachments
from runbooks.incidents.models import Incident
from tests.attachments.conftest import Attach

pytestmark = pytest.mark.django_db


def test_sound_spoiled_and_lost_files_are_told_apart(attach: Attach, incident: Incident) -> None:
    sound, spoiled, lost = (attach(os.urandom(100_000), name) for name in ("sound", "spoiled", "lost"))
    with default_storage.open(spoiled.stored.name) as file:
        again = attach(file.read(), "again")
    with default_storage.open(spoiled.stored.name, "r+b") as file:
        file.seek(50_000)
        was = file.read(1)
        file.seek(50_000)
        file.write(bytes([was[0] ^ 1]))
    default_storage.delete(lost.stored.name)
    findings = list(verify_attachments(incident.pk))
    assert [(one.number, one.state) for one in findings] == [
        (sound.number, "sound"),
        (spoiled.number, "differs"),
        (lost.number, "missing"),
        (again.number, "differs"),
    ]
    assert findings[0] == Finding(1, "sound", sound.stored.sha256, "sound", sound.stored.sha256)
    assert len(findings[1].found) == 64
    assert findings[1].found != spoiled.stored.sha256
    assert findings[2].found == ""

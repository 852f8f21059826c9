"""Files to hand in, and what is in the storage."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.core.files.uploadedfile import SimpleUploadedFile

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.attachments.models import Attachment
from runbooks.attachments.operations import attach_file
from runbooks.incidents.models import Incident

NOON = datetime(2026, 6, 23, 12, tzinfo=UTC)
Attach = Callable[..., Attachment]


def in_storage() -> set[str]:
    """Every file of the evidence, by its path in the storage."""
    root = Path(site.MEDIA_ROOT)
    return {str(path.relative_to(root)) for path in (root / "evidence").rglob("*") if path.is_file()}


@pytest.fixture
def kept_before() -> set[str]:
    return in_storage()


def upload(content: bytes = b"a log", name: str = "log.txt") -> SimpleUploadedFile:
    """As the browser sends it, but for the cleaning that Django does to a name: an attacker does not."""
    sent = SimpleUploadedFile("x", content)
    sent._name = name
    return sent


@pytest.fixture
def attach(incident: Incident, responder: User) -> Attach:
    def made(content: bytes = b"a log", name: str = "log.txt", *, by: User = responder, **changes: Any) -> Attachment:
        where: dict[str, Any] = {"incident_id": incident.pk, "actor": actor_for(by), "at": NOON}
        return attach_file(**{**where, "upload": upload(content, name), **changes})

    return made

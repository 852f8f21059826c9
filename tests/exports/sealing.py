"""A signing key at hand, clocks, and the bundle of an incident, for tests of the seal."""

import io
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from runbooks.exports import keys, signing
from runbooks.exports.bundle import Facts, write_bundle
from runbooks.exports.chain import ChainLines
from runbooks.exports.models import Checkpoint, SigningKey
from runbooks.exports.operations.checkpoints import sent_form
from runbooks.incidents.models import Incident


def ticking(start: datetime | None = None, step: timedelta = timedelta(seconds=1)) -> Callable[[], datetime]:
    """A clock that goes on by a step each time it is asked."""

    def ticks() -> Iterator[datetime]:
        at = start or timezone.now()
        while True:
            yield at
            at += step

    return ticks().__next__


def use_new_key(settings: Any, folder: Path, name: str = "signing-key") -> SigningKey:
    settings.SIGNING_KEY_FILE = str(folder / name)
    key, _ = keys.create_key(path=None, by="A test", at=timezone.now() - timedelta(days=1))
    return key


def bundle_of(incident: Incident) -> bytes:
    """The evidence bundle of the incident, signed with the key at hand."""
    out = io.BytesIO()
    checkpoints = Checkpoint.objects.filter(incident=incident).select_related("key").order_by("sequence")
    write_bundle(
        out,
        facts=Facts(incident.reference, "", timezone.now(), "A test"),
        chain=ChainLines(incident.pk),
        checkpoints=map(sent_form, checkpoints),
        signers=signing.allowed_signers(SigningKey.objects.values_list("public_key", flat=True)),
        files=[],
        sign=keys.held().sign,
    )
    return out.getvalue()

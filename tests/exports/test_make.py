"""Making an export: the file and what is noted of it, turns that are lost, and what goes wrong."""

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from runbooks.access.permissions import COMMAND_LINE
from runbooks.attachments.models import Attachment, CustodyEvent
from runbooks.attachments.operations import attach_file
from runbooks.exports import tasks
from runbooks.exports.formats import base
from runbooks.exports.models import Export, SigningKey
from runbooks.exports.operations import making
from runbooks.exports.operations.making import make_export
from runbooks.exports.operations.requesting import Wish, cancel_export, request_export
from runbooks.exports.queries.list import left_over
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.exports.bundles import Parts
from tests.exports.exporting import content_of, exported, hostile, peopled, redacted_entry
from tests.factories import make_entry, make_incident

pytestmark = pytest.mark.django_db
VERIFIER = Path(__file__).resolve().parents[2] / "docs" / "verify_export.py"


def asked(incident: Incident, format: str = "jsonl", **wish: Any) -> Export:
    return request_export(
        incident_id=incident.pk, wish=Wish(format, **wish), actor=COMMAND_LINE, at=timezone.now() - timedelta(minutes=1)
    )


def make(export: Export) -> Export | None:
    return make_export(export_id=export.pk, clock=timezone.now)


def test_the_file_is_kept_with_its_hash_and_size(incident: Incident) -> None:
    make_entry(incident, "Zoë")
    export = exported(incident, "csv", query="q=Zoë")
    content = content_of(export)
    assert (export.status, export.size, export.sha256) == ("ready", len(content), hashlib.sha256(content).hexdigest())
    assert (export.entries, export.left_out, export.done) == (1, 0, 1)
    assert export.file_name == f"{incident.reference}-EX-01-filtered.csv"
    assert export.media_type == "text/csv; charset=utf-8"
    assert export.file.startswith(f"exports/{export.pk}/")


def test_it_is_an_entry_with_hash_format_filter_and_what_was_left_out(incident: Incident) -> None:
    for text in ("one", "two", "three"):
        make_entry(incident, text)
    export = exported(incident, "json", query="q=two")
    event = TimelineEvent.objects.get(incident=incident, kind="export.made")
    assert event.summary == f"EX-01 made: JSON, 1 entry of #1 to #3, 2 left out. SHA-256 {export.sha256}"
    said = {name: event.details[name] for name in ("sha256", "format", "filter", "left_out", "size", "signed_by")}
    assert said == {
        "sha256": export.sha256, "format": "json", "filter": {"q": "two"}, "left_out": 2, "size": export.size,
        "signed_by": None,
    }  # fmt: skip


def test_it_is_made_once(incident: Incident) -> None:
    export = exported(incident, "csv")
    assert make(export) is None
    assert TimelineEvent.objects.filter(kind="export.made").count() == 1


def test_the_same_range_makes_the_same_bytes_but_for_number_and_time(incident: Incident) -> None:
    hostile(incident)
    first, second = (exported(incident, "jsonl", query="to=2026-12-31") for _ in range(2))
    assert content_of(first).split(b"\n")[1:5] == content_of(second).split(b"\n")[1:5]


def test_a_worker_that_died_is_begun_again_after_its_lease(incident: Incident) -> None:
    export = asked(incident)
    at = timezone.now()
    Export.objects.filter(pk=export.pk).update(
        status="running", token=uuid4(), lease_until=at + timedelta(minutes=1), attempts=1
    )
    assert make(export) is None
    assert left_over(at) == []
    Export.objects.filter(pk=export.pk).update(lease_until=at - timedelta(seconds=1))
    export.refresh_from_db()
    left = default_storage.save(f"exports/{export.pk}/{export.token}", ContentFile(b"half of it"))
    assert left_over(at) == [export.pk]
    tasks.make_left()
    export.refresh_from_db()
    assert (export.status, export.attempts) == ("ready", 2)
    assert not default_storage.exists(left)


def test_a_wake_up_that_was_lost_is_found(incident: Incident) -> None:
    export = asked(incident)
    assert left_over(timezone.now()) == [export.pk]
    assert left_over(export.requested_at) == []


def test_what_stops_each_worker_is_not_tried_for_ever(incident: Incident) -> None:
    export = asked(incident)
    Export.objects.filter(pk=export.pk).update(attempts=3)
    assert make(export) is None
    export.refresh_from_db()
    assert export.status == "failed"
    assert "worker stopped" in export.reason


def test_a_worker_that_lost_its_turn_takes_its_file_away(incident: Incident) -> None:
    export = asked(incident)
    save = default_storage.save

    def slow(name: str, content: Any) -> str:
        Export.objects.filter(pk=export.pk).update(token=uuid4())
        return str(save(name, content))

    with patch.object(making.default_storage, "save", slow):
        assert make(export) is None
    export.refresh_from_db()
    assert (export.status, export.file) == ("running", "")
    assert default_storage.listdir(f"exports/{export.pk}")[1] == []


def test_a_failure_keeps_a_sentence_and_is_an_entry(incident: Incident) -> None:
    export = asked(incident)
    with patch.object(making.default_storage, "save", side_effect=OSError(28, "No space left on device")):
        failed = make(export)
    assert failed is not None
    assert (failed.status, failed.token) == ("failed", None)
    assert failed.reason == "It could not be written: no space left on device. Then try again."
    assert TimelineEvent.objects.get(incident=incident, kind="export.failed").summary.endswith(failed.reason)


def test_a_key_that_went_away_is_said(incident: Incident, key: SigningKey, settings: Any) -> None:
    make_entry(incident)
    export = asked(incident, "bundle")
    settings.SIGNING_KEY_FILE = ""
    failed = make(export)
    assert failed is not None
    assert failed.reason.startswith("No signing key is set.")


# The evidence bundle


def attach(incident: Incident, name: str, content: bytes) -> Attachment:
    upload = ContentFile(content, name=name)
    at = timezone.now()
    return attach_file(incident_id=incident.pk, upload=upload, actor=COMMAND_LINE, at=at)


def verified(export: Export, tmp_path: Path) -> str:
    """What docs/verify_export.py says of it, run as an auditor runs it."""
    path = tmp_path / export.file_name
    path.write_bytes(content_of(export))
    command = [sys.executable, "-S", "-I", str(VERIFIER), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_evidence_bundle_verifies_with_everything_in_it(
    incident: Incident, key: SigningKey, tmp_path: Path
) -> None:
    hostile(incident)
    peopled(incident)
    redacted_entry(incident)
    attach(incident, "gateway log: Zoë.txt", b"evidence " * 50)
    export = exported(incident, "bundle", purpose="The regulator")
    assert (export.status, export.key, export.reason) == ("ready", key, "")
    said = verified(export, tmp_path)
    parts = Parts.of(content_of(export)).files
    assert {"chain.jsonl", "checkpoints.jsonl", "allowed_signers", "verify_export.py", "timeline.xlsx", "timeline.csv",
            "timeline.json", "timeline.jsonl", "timeline.timesketch.csv", "timeline.timesketch.jsonl",
            "timeline.stix.json", "timeline.misp.json"} <= set(parts)  # fmt: skip
    (attached,) = [name for name in parts if name.startswith("attachments/")]
    assert parts[attached] == b"evidence " * 50
    manifest = json.loads(parts["manifest.json"])
    assert manifest["export"]["purpose"] == "The regulator"
    assert manifest["attachments"][0]["is_unchanged"]
    assert json.loads(parts["checkpoints.jsonl"])["sequence"] == manifest["head"]["sequence"] == export.head_sequence
    assert "1 entry" in said


def test_a_filtered_bundle_verifies_without_what_was_left_out(
    incident: Incident, key: SigningKey, tmp_path: Path
) -> None:
    make_entry(incident, "a needle")
    make_entry(incident, "a secret straw")
    attach(incident, "straw.txt", b"the attachment of a straw")
    export = exported(incident, "bundle", query="q=needle")
    assert (export.entries, export.left_out) == (1, 2)
    verified(export, tmp_path)
    parts = Parts.of(content_of(export)).files
    assert not any(b"secret straw" in part for part in parts.values())
    assert not any(name.startswith("attachments/") for name in parts)
    assert json.loads(parts["manifest.json"])["left_out"] == 2


def test_an_attachment_that_changed_in_the_storage_is_said_to(incident: Incident, key: SigningKey) -> None:
    attachment = attach(incident, "log.txt", b"what came in")
    with default_storage.open(attachment.stored.name, "wb") as file:
        file.write(b"something else")
    export = exported(incident, "bundle")
    (said,) = json.loads(Parts.of(content_of(export)).files["manifest.json"])["attachments"]
    assert not said["is_unchanged"]
    assert said["sha256_when_attached"] == attachment.stored.sha256


def test_custody_says_which_attachments_went_out(incident: Incident, key: SigningKey) -> None:
    attachment = attach(incident, "log.txt", b"what came in")
    exported(incident, "bundle")
    event = CustodyEvent.objects.get(attachment=attachment, kind="exported")
    assert (event.name, event.note) == ("Command line", "EX-01")


def test_an_attachment_that_is_lost_is_said(incident: Incident, key: SigningKey) -> None:
    attachment = attach(incident, "log.txt", b"lost")
    default_storage.delete(attachment.stored.name)
    export = exported(incident, "bundle")
    assert (export.status, export.reason) == (
        "failed", "A file of the incident is not in the storage any more. Tell the auditors."
    )  # fmt: skip


# In the background, with other connections


@pytest.mark.django_db(transaction=True)
def test_pages_see_how_far_it_is_while_it_is_written() -> None:
    incident = make_incident()
    for number in range(30):
        make_entry(incident, f"Entry {number}")
    export, seen = asked(incident), []
    elsewhere = _elsewhere(lambda: seen.append(Export.objects.values_list("status", "done").get(pk=export.pk)))
    with patch.object(base, "BATCH", 10), patch.object(making, "TELL_EACH", 0.0), _after_each_part(elsewhere):
        tasks.make(str(export.pk))
    assert seen == [("running", 10), ("running", 20), ("running", 30)]
    export.refresh_from_db()
    assert export.status == "ready"


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_export_stops_and_leaves_no_file() -> None:
    incident = make_incident()
    for number in range(30):
        make_entry(incident, f"Entry {number}")
    export = asked(incident)

    def cancel() -> None:
        if Export.objects.get(pk=export.pk).status == "running":
            cancel_export(incident_id=incident.pk, number=1, actor=COMMAND_LINE, at=timezone.now())

    with patch.object(base, "BATCH", 10), patch.object(making, "TELL_EACH", 0.0), _after_each_part(_elsewhere(cancel)):
        tasks.make(str(export.pk))
    export.refresh_from_db()
    assert (export.status, export.file, export.done) == ("cancelled", "", 10)
    assert not TimelineEvent.objects.filter(incident=incident, kind="export.made").exists()
    assert Incident.objects.filter(pk=incident.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_all_that_is_written_is_of_one_moment() -> None:
    """A correction that comes while the first part is written is in none of it, and the head holds."""
    incident = make_incident()
    events = [make_entry(incident, f"Entry {number}") for number in range(20)]
    export = asked(incident)
    correct = _elsewhere(lambda: make_entry(incident, "No", kind="entry.corrected", corrects=events[19].sequence))
    with patch.object(base, "BATCH", 10), _after_each_part(correct):
        tasks.make(str(export.pk))
    export.refresh_from_db()
    assert export.entries == 20
    assert b'"corrected_by":null' in content_of(export).splitlines()[20]


def _elsewhere(act: Callable[[], object]) -> Callable[[], None]:
    """The same, by a connection of its own."""

    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    def in_thread() -> None:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

    return in_thread


def _after_each_part(act: Callable[[], None]) -> Any:
    """`act` each time a part was written and told of."""
    real = making._teller

    @contextmanager
    def teller(export: Export, watched: bool) -> Iterator[Callable[[int], None]]:
        def both(done: int) -> None:
            tell(done)
            act()

        with real(export, watched) as tell:
            yield both

    return patch.object(making, "_teller", teller)

"""What the database itself refuses, whoever asks it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from runbooks.access.models import AccessRecord, User
from runbooks.access.permissions import actor_for
from runbooks.attachments.models import Attachment, CustodyEvent, StoredFile
from runbooks.exports.models import Checkpoint, Download, Export, Redaction, SigningKey, Verification
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.operations import Entry, record

pytestmark = pytest.mark.django_db


def refused(statement: str, *values: Any) -> str:
    with pytest.raises(DatabaseError) as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
    return str(error.value)


def checkpoint(incident: Incident) -> Checkpoint:
    key = SigningKey.objects.create(fingerprint="SHA256:x", public_key="ssh-ed25519 x", made_at=timezone.now())
    return Checkpoint.objects.create(
        incident=incident, sequence=1, hash="a" * 64, signed_at=timezone.now(), key=key, signature="x", reason="asked"
    )


def rows(incident: Incident, user: User) -> dict[str, Any]:
    at = timezone.now()
    export = Export.objects.create(
        incident=incident,
        number=1,
        format="csv",
        requested_by="x",
        requested_at=at,
        head_sequence=1,
        head_hash="a" * 64,
    )
    stored = StoredFile.objects.create(sha256="b" * 64, size=1, media_type="text/plain", name="x", stored_at=at)
    attachment = Attachment.objects.create(
        incident=incident, stored=stored, number=1, name="x", added_by="x", added_at=at
    )
    return {
        "download": Download.objects.create(export=export, name="x", at=at),
        "custodyevent": CustodyEvent.objects.create(attachment=attachment, kind="read", name="x", at=at),
        "accessrecord": AccessRecord.objects.create(
            user=user, name="x", role=user.role, kind="page", subject="/", at=at
        ),
        "verification": Verification.objects.create(
            incident=incident,
            began_at=at,
            ended_at=at,
            after_sequence=0,
            entries=1,
            head_sequence=1,
            head_hash="a" * 64,
        ),
    }


@pytest.mark.parametrize("table", ["download", "custodyevent", "accessrecord", "verification"])
def test_what_is_only_added_is_neither_changed_nor_deleted(table: str, incident: Incident, coordinator: User) -> None:
    row = rows(incident, coordinator)[table]
    assert "only added" in refused(f"UPDATE runbooks_{table} SET id = id WHERE id = %s", row.pk)
    assert "only added" in refused(f"DELETE FROM runbooks_{table} WHERE id = %s", row.pk)


def test_of_a_checkpoint_nothing_changes_but_the_time_stamp_once(incident: Incident) -> None:
    kept = checkpoint(incident)
    assert "signed" in refused("UPDATE runbooks_checkpoint SET hash = 'b' WHERE id = %s", kept.pk)
    assert "signed" in refused("DELETE FROM runbooks_checkpoint WHERE id = %s", kept.pk)
    kept.token, kept.token_at = b"token", timezone.now()
    kept.save(update_fields=["token", "token_at"])
    assert "signed" in refused("UPDATE runbooks_checkpoint SET token = NULL WHERE id = %s", kept.pk)


def redaction(event: TimelineEvent, requester: User, **changes: Any) -> Redaction:
    values = {"reason": "A name", "legal_basis": "Art. 17", "requested_at": timezone.now(), **changes}
    return Redaction.objects.create(incident=event.incident, event=event, requester=requester, **values)


def test_an_entry_loses_its_content_only_by_a_redaction_of_two(
    incident: Incident, coordinator: User, responder: User
) -> None:
    event = record(incident, Entry("note.added", "About Ana"), actor=actor_for(coordinator), at=timezone.now())
    empty = "UPDATE runbooks_timelineevent SET salt = NULL, summary = '', details = '{}' WHERE id = %s"
    assert "sealed" in refused(empty, event.pk)
    asked = redaction(event, coordinator)
    assert "sealed" in refused(empty, event.pk)
    with pytest.raises(DatabaseError), transaction.atomic():
        Redaction.objects.filter(pk=asked.pk).update(
            status="approved", decider=coordinator, decided_at=timezone.now() + timedelta(minutes=1)
        )
    Redaction.objects.filter(pk=asked.pk).update(status="approved", decider=responder, decided_at=timezone.now())
    assert "sealed" in refused("UPDATE runbooks_timelineevent SET summary = 'other' WHERE id = %s", event.pk)
    assert "sealed" in refused(
        "UPDATE runbooks_timelineevent SET salt = NULL, summary = '', details = '{}', actor = 'x' WHERE id = %s",
        event.pk,
    )
    with connection.cursor() as cursor:
        cursor.execute(empty, [event.pk])
    event.refresh_from_db()
    assert (event.salt, event.summary, event.details) == (None, "", {})
    assert "sealed" in refused("DELETE FROM runbooks_timelineevent WHERE id = %s", event.pk)

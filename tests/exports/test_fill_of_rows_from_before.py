"""What migration 0009 makes of rows from before it had its columns."""

from datetime import datetime, timedelta
from importlib import import_module

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.containment.models import Evidence
from runbooks.containment.operations import NewEvidence, add_evidence
from runbooks.exports.models import Checkpoint, SigningKey, Witness, WitnessCopy
from runbooks.exports.operations.checkpoints import make_checkpoint
from runbooks.incidents.models import Incident
from tests.factories import make_entry, make_step

pytestmark = pytest.mark.django_db
MIGRATION = import_module("runbooks.migrations.0009_link_evidence_to_files")


def run(statement: str) -> None:
    """As the migration does, which escapes its signs of percent."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [])


def handed_in(incident: Incident, user: User, content: bytes, at: datetime) -> Evidence:
    step = incident.steps.get(key="look")
    upload = ContentFile(content, name="log.txt")
    evidence = NewEvidence("file", upload=upload)
    return add_evidence(incident_id=incident.pk, key=step.key, evidence=evidence, actor=actor_for(user), at=at)


def test_evidence_finds_the_file_it_came_with(incident: Incident, responder: User) -> None:
    make_step(incident, key="look")
    at = timezone.now()
    first = handed_in(incident, responder, b"one", at)
    same = handed_in(incident, responder, b"one", at + timedelta(seconds=1))
    other = handed_in(incident, responder, b"two", at + timedelta(seconds=2))
    told = {piece.pk: piece.attachment_id for piece in (first, same, other)}
    assert len(set(told.values())) == 3
    Evidence.objects.update(attachment=None)
    run(MIGRATION.FILL_EVIDENCE)
    assert dict(Evidence.objects.values_list("pk", "attachment")) == told


def test_who_ended_a_witness_is_found_where_it_was_said(incident: Incident, key: SigningKey) -> None:
    make_entry(incident)
    at = timezone.now()
    checkpoint = make_checkpoint(incident_id=incident.pk, reason=Checkpoint.Reason.ASKED, at=at)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE runbooks_witness DROP CONSTRAINT witness_ended_by_somebody")
    known, current, _ = (
        Witness.objects.create(name=name, channel="mail", address=f"{name}@outside.example", added_by="x", added_at=at)
        for name in ("known", "current", "unknown")
    )
    Witness.objects.exclude(pk=current.pk).update(ended_at=at)
    WitnessCopy.objects.create(checkpoint=checkpoint, witness=known, status="failed", reason="Zoë ended this witness.")
    run(MIGRATION.FILL_WITNESS)
    said = dict(Witness.objects.values_list("name", "ended_by"))
    assert said == {"known": "Zoë", "unknown": "Not recorded", "current": ""}


def test_no_witness_ends_by_nobody(incident: Incident) -> None:
    at = timezone.now()
    witness = Witness.objects.create(name="x", channel="mail", address="x@y.example", added_by="x", added_at=at)
    with pytest.raises(IntegrityError), transaction.atomic():
        Witness.objects.filter(pk=witness.pk).update(ended_at=at)
    with pytest.raises(IntegrityError), transaction.atomic():
        Witness.objects.filter(pk=witness.pk).update(ended_by="Somebody")

"""Signing how far a chain has come."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Max, Q

from runbooks.background import wake
from runbooks.errors import NotFoundError
from runbooks.exports import keys
from runbooks.exports.chain import SignedCheckpoint, checkpoint_statement
from runbooks.exports.models import Checkpoint, Witness, WitnessCopy
from runbooks.incidents.models import Incident


def make_checkpoint(*, incident_id: UUID, reason: str, at: datetime) -> Checkpoint | None:
    """Sign the newest entry; None where there is none yet. The checkpoint that is there, where that was signed before.

    Raises keys.NoKeyError. The head is read as it was committed, without its lock: nobody waits for a signature.
    """
    head = Incident.objects.filter(pk=incident_id).values_list("head_sequence", "head_hash").first()
    if head is None:
        raise NotFoundError("There is no such incident.")
    sequence, digest = head
    if not sequence:
        return None
    made = Checkpoint.objects.filter(incident=incident_id, sequence=sequence).first()
    return made or _signed(incident_id, sequence, digest, reason, at)


def _signed(incident_id: UUID, sequence: int, digest: str, reason: str, at: datetime) -> Checkpoint:
    held = keys.held()
    signature = held.sign(checkpoint_statement(incident_id, sequence, digest, at))
    try:
        with transaction.atomic():
            made = Checkpoint.objects.create(
                incident_id=incident_id,
                sequence=sequence,
                hash=digest,
                signed_at=at,
                key=held.key,
                signature=signature,
                reason=reason,
                token_due_at=at if settings.TSA_URL else None,
            )
            _hand_out(made, at)
    except IntegrityError:
        # Somebody else signed it in this very moment.
        return Checkpoint.objects.get(incident=incident_id, sequence=sequence)
    return made


def _hand_out(made: Checkpoint, at: datetime) -> None:
    witnesses = Witness.objects.filter(ended_at__isnull=True)
    copies = [WitnessCopy(checkpoint=made, witness=witness, next_attempt_at=at) for witness in witnesses]
    if WitnessCopy.objects.bulk_create(copies):
        wake("exports.witness")
    if made.token_due_at is not None:
        wake("exports.stamp")


def unsigned_incidents() -> list[UUID]:
    """The incidents whose newest entry stands under no checkpoint."""
    signed = Incident.objects.annotate(signed=Max("checkpoints__sequence")).filter(head_sequence__gt=0)
    behind = signed.filter(Q(signed=None) | Q(signed__lt=F("head_sequence")))
    return list(behind.order_by("pk").values_list("pk", flat=True))


def sent_form(checkpoint: Checkpoint) -> SignedCheckpoint:
    """As it leaves the house, for bundles and witnesses; its key is read with it."""
    return SignedCheckpoint(
        incident_id=checkpoint.incident_id,
        sequence=checkpoint.sequence,
        hash=checkpoint.hash,
        time=checkpoint.signed_at,
        key=checkpoint.key.fingerprint,
        signature=checkpoint.signature,
    )

"""Walking a chain in the database and saying what was found: a row, the badge, and a notice where it is broken.

What is found keeps nobody from working. Nobody but a person takes a break back, by having the whole chain verified.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max, Q

from runbooks.access.models import Role, User
from runbooks.access.permissions import PORTAL, Actor, require
from runbooks.exports import signing
from runbooks.exports.chain import checkpoint_statement
from runbooks.exports.checking import Finding, check_chain
from runbooks.exports.models import Checkpoint, Verification
from runbooks.exports.operations.handing import CannotHandOverError, hand
from runbooks.exports.progress import SECONDS, Progress
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.notifications.operations import announce
from runbooks.presentation import number
from runbooks.timeline.seal import GENESIS

RUNNING_WHOLE, OVER_WHOLE = timedelta(days=1), timedelta(days=7)
STANDS: Final = "Nothing is wrong now. That it was broken at #{} stands until somebody asks for a verification."
TAKEN_BACK: Final = "Nothing is wrong now. Before, it was found broken at #{}."


@dataclass(frozen=True, slots=True)
class Walk:
    """From where a verification goes, and what it holds the chain against: {sequence: hash} of checkpoints."""

    after: int
    hash_after: str
    checkpoints: dict[int, str]
    badly_signed: int | None


def ask_verification(*, incident_id: UUID, actor: Actor, at: datetime) -> bool:
    """Have a worker verify the whole chain; False where one is at it already. Nothing is written to the database.

    Raises CannotHandOverError.
    """
    require(actor, "view_seal", incident_id)
    progress = Progress(incident_id)
    if not progress.ask(actor.name, at):
        return False
    try:
        hand("exports.verify", expires=SECONDS, command="verify", incident_id=str(incident_id), asked_by=actor.name)
    except CannotHandOverError:
        progress.end()
        raise
    return True


def verify(
    *,
    incident_id: UUID,
    whole: bool,
    asked_by: str,
    clock: Callable[[], datetime],
    tell: Callable[[int], None] | None = None,
) -> Verification:
    """Walk the chain, from its beginning or from where it was last found sound, in constant memory.

    `tell` hears how many entries were looked at. Never inside a transaction: a million entries take a minute.
    """
    began = clock()
    walk = _walk(incident_id, whole)
    finding = check_chain(
        incident_id, after=walk.after, hash_after=walk.hash_after, checkpoints=walk.checkpoints, tell=tell
    )
    if walk.badly_signed is not None and (finding.first_break is None or walk.badly_signed < finding.first_break):
        said = "the signature of its checkpoint is not good"
        finding = Finding(finding.checked, walk.badly_signed - 1, finding.head_hash, walk.badly_signed, said)
    return _note(incident_id, walk.after, finding, asked_by, began, clock())


def _walk(incident_id: UUID, whole: bool) -> Walk:
    """The checkpoints are read before the head: there is none beyond it but where entries were taken away."""
    after, digest = (0, GENESIS) if whole else _sound_so_far(incident_id)
    kept = Checkpoint.objects.filter(incident=incident_id, sequence__gt=after).select_related("key")
    checkpoints, badly_signed = {}, None
    for one in kept.order_by("sequence").iterator(chunk_size=1000):
        checkpoints[one.sequence] = one.hash
        if badly_signed is None and not is_well_signed(one):
            badly_signed = one.sequence
    return Walk(after, digest, checkpoints, badly_signed)


def _sound_so_far(incident_id: UUID) -> tuple[int, str]:
    """Up to where the chain was found sound, and the hash it had there by that verification's own row."""
    sequence = Incident.objects.values_list("chain_checked_sequence", flat=True).get(pk=incident_id)
    rows = Verification.objects.filter(incident=incident_id, head_sequence=sequence, broken_at__isnull=True)
    digest = rows.order_by("-pk").values_list("head_hash", flat=True).first()
    return (sequence, digest) if digest is not None else (0, GENESIS)


def is_well_signed(checkpoint: Checkpoint) -> bool:
    """Whether its key signed exactly what it says; the key is read with it."""
    said = checkpoint_statement(checkpoint.incident_id, checkpoint.sequence, checkpoint.hash, checkpoint.signed_at)
    try:
        signer = signing.verify([checkpoint.key.public_key], said, checkpoint.signature)
    except (signing.BadSignatureError, signing.BadKeyError):
        return False
    return signer == checkpoint.key.fingerprint


@transaction.atomic
def _note(
    incident_id: UUID, after: int, finding: Finding, asked_by: str, began: datetime, ended: datetime
) -> Verification:
    incident = lock(incident_id)
    before, broken_at = incident.chain_broken_at, finding.first_break
    is_taken_back = before is not None and broken_at is None and after == 0 and asked_by != PORTAL.name
    made = Verification.objects.create(
        incident=incident,
        began_at=began,
        ended_at=ended,
        after_sequence=after,
        entries=finding.checked,
        head_sequence=finding.head_sequence,
        head_hash=finding.head_hash,
        broken_at=broken_at,
        finding=_said(finding, before, is_taken_back),
        asked_by=asked_by,
    )
    incident.chain_checked_at = ended
    if broken_at is not None:
        incident.chain_broken_at = broken_at
        incident.chain_checked_sequence = min(finding.head_sequence, broken_at - 1)
    elif is_taken_back or before is None:
        incident.chain_broken_at = None
        incident.chain_checked_sequence = max(finding.head_sequence, incident.chain_checked_sequence)
    incident.save(update_fields=["chain_checked_at", "chain_checked_sequence", "chain_broken_at"])
    if broken_at is not None and broken_at != before:
        announce(
            incident, "seal.broken", {"broken_at": number(broken_at), "finding": finding.what, "asked_by": asked_by},
            at=ended, to=_to_tell(),
        )  # fmt: skip
    elif is_taken_back:
        announce(
            incident, "seal.mended", {"broken_at": number(before or 0), "asked_by": asked_by}, at=ended, to=_to_tell()
        )
    return made


def _said(finding: Finding, before: int | None, is_taken_back: bool) -> str:
    if finding.first_break is not None:
        return f"Entry #{number(finding.first_break)}: {finding.what}."[:400]
    if before is None:
        return ""
    return (TAKEN_BACK if is_taken_back else STANDS).format(number(before))


def _to_tell() -> list[User]:
    """All auditors and administrators, in the incident or not: whoever broke the chain may have chosen who is."""
    return list(User.objects.filter(is_active=True, role__in=[Role.AUDITOR, Role.ADMINISTRATOR]))


def due(at: datetime) -> list[tuple[UUID, bool]]:
    """Which incidents the clock asks to verify, and whether wholly: each day, each week those that are over.

    In between, running ones on from where they were sound, unless they were found broken: that is known.
    """
    whole = Max("verifications__began_at", filter=Q(verifications__after_sequence=0))
    incidents = Incident.objects.filter(head_sequence__gt=0).annotate(whole_at=whole)
    is_over = Q(status__in=Incident.OVER)
    late = (
        Q(whole_at=None) | ~is_over & Q(whole_at__lte=at - RUNNING_WHOLE) | is_over & Q(whole_at__lte=at - OVER_WHOLE)
    )
    moved = ~is_over & Q(head_sequence__gt=F("chain_checked_sequence"), chain_broken_at=None)
    wholly = set(incidents.filter(late).values_list("pk", flat=True))
    partly = set(incidents.filter(moved).values_list("pk", flat=True)) - wholly
    return [*((pk, True) for pk in sorted(wholly)), *((pk, False) for pk in sorted(partly))]

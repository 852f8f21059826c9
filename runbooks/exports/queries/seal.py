"""How the seal of an incident stands: the badge, its checkpoints, who keeps them, and the head in print."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import segno
from django.db import connection
from django.db.models import Count, F, Max, Min, OuterRef, Q, Subquery
from django.utils.safestring import SafeString, mark_safe

from runbooks.access.permissions import Actor, can
from runbooks.exports.models import Checkpoint, SigningKey, Verification, Witness, WitnessCopy
from runbooks.incidents.models import Incident
from runbooks.presentation import clock, in_groups, number
from runbooks.timeline.models import TimelineEvent

PAGE: Final = 25
VERIFICATIONS: Final = 8
# What ought to have been verified again by now: the clock asks every quarter of an hour, and wholly each day.
LATE, OVERDUE = timedelta(hours=1), timedelta(hours=30)
UNDELIVERED: Final = timedelta(hours=1)
NEEDS = """
SELECT
    (SELECT count(*) FROM runbooks_witnesscopy copy
     JOIN runbooks_checkpoint checkpoint ON checkpoint.id = copy.checkpoint_id
     JOIN runbooks_witness witness ON witness.id = copy.witness_id
     WHERE checkpoint.incident_id = %s AND copy.status <> 'sent' AND checkpoint.signed_at <= %s
         AND witness.ended_at IS NULL),
    (SELECT array_agg(event.sequence ORDER BY event.sequence) FROM runbooks_redaction redaction
     JOIN runbooks_timelineevent event ON event.id = redaction.event_id
     WHERE redaction.incident_id = %s AND redaction.status = 'requested' AND redaction.requester_id <> %s)
"""


@dataclass(frozen=True, slots=True)
class Badge:
    """`tone` is good, wait or bad."""

    words: str
    tone: str


def badge(incident: Incident, now: datetime) -> Badge:
    """What stands on every page of the room, from the incident's own row alone."""
    if incident.chain_broken_at is not None:
        return Badge(f"Chain broken at #{number(incident.chain_broken_at)}", "bad")
    checked_at = incident.chain_checked_at
    if checked_at is None:
        return Badge("Chain not verified yet", "wait")
    words = f"Verified to #{number(incident.chain_checked_sequence)}, {clock(checked_at, incident.zone, now)}"
    is_behind = incident.head_sequence > incident.chain_checked_sequence and now - checked_at > LATE
    is_overdue = now - checked_at > OVERDUE
    return Badge(words, "wait" if not incident.is_over and (is_behind or is_overdue) else "good")


# The head, in print


def head_words(incident: Incident) -> str:
    """The first 16 digits of the newest entry's hash, to be read aloud and typed: a5c5 7efe c7ed a3ac."""
    return " ".join(in_groups(incident.head_hash[:16], 4))


def head_statement(incident: Incident) -> str:
    """What the QR code in print says: which incident, which entry, and the whole hash."""
    return f"{incident.reference} #{incident.head_sequence} {incident.head_hash}"


def head_code(incident: Incident) -> SafeString:
    """That as a QR code: an SVG element of drawing alone."""
    code = segno.make_qr(head_statement(incident), error="m")
    drawn = code.svg_inline(border=2, dark="#000", light="#fff", svgclass="qr", lineclass=None, omitsize=True)
    return mark_safe(drawn.replace("<svg ", '<svg role="img" aria-label="QR code of the chain head" ', 1))


# The page


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of an incident's seal."""

    corrections: int
    redactions: int
    checkpoints: int
    stamped: int


def figures(incident_id: UUID) -> Figures:
    """Two queries, over the index of corrections and the checkpoints."""
    kinds = TimelineEvent.objects.filter(incident=incident_id, corrects__isnull=False).aggregate(
        corrections=Count("pk", filter=Q(kind="entry.corrected")),
        redactions=Count("pk", filter=Q(kind="entry.redacted")),
    )
    signed = Checkpoint.objects.filter(incident=incident_id).aggregate(
        checkpoints=Count("pk"), stamped=Count("pk", filter=Q(token__isnull=False))
    )
    return Figures(**kinds, **signed)


def checkpoints_of(incident_id: UUID, *, before: int | None = None) -> list[Checkpoint]:
    """Newest first, one more than a page, with their keys, and how many witnesses have each (`kept`, of `handed`)."""
    rows = Checkpoint.objects.filter(incident=incident_id).select_related("key")
    if before is not None:
        rows = rows.filter(sequence__lt=before)
    counted = rows.annotate(
        handed=Count("copies"), kept=Count("copies", filter=Q(copies__status=WitnessCopy.Status.SENT))
    )
    return list(counted.order_by("-sequence")[: PAGE + 1])


def verifications_of(incident_id: UUID) -> list[Verification]:
    return list(Verification.objects.filter(incident=incident_id).order_by("-pk")[:VERIFICATIONS])


def uses_of(key: SigningKey, incident_id: UUID) -> int:
    return Checkpoint.objects.filter(incident=incident_id, key=key).count()


@dataclass(frozen=True, slots=True)
class WitnessStand:
    """A witness, and how many checkpoints reached it, are on their way, or were given up; of one incident or of all."""

    witness: Witness
    sent: int
    open: int
    failed: int
    last_at: datetime | None
    oldest_open_at: datetime | None
    reason: str | None


def witnesses(incident_id: UUID | None = None) -> list[WitnessStand]:
    """Current ones first, then those that ended. One query."""
    status, statuses = "copies__status", WitnessCopy.Status
    of = Q(copies__checkpoint__incident=incident_id) if incident_id is not None else Q(copies__isnull=False)
    unsent = WitnessCopy.objects.filter(witness=OuterRef("pk")).exclude(status=statuses.SENT).exclude(reason="")
    if incident_id is not None:
        unsent = unsent.filter(checkpoint__incident=incident_id)
    rows = Witness.objects.annotate(
        sent=Count("copies", filter=of & Q(**{status: statuses.SENT})),
        open=Count("copies", filter=of & Q(**{f"{status}__in": [statuses.WAITING, statuses.SENDING]})),
        failed=Count("copies", filter=of & Q(**{status: statuses.FAILED})),
        last_at=Max("copies__sent_at", filter=of),
        oldest_open_at=Min("copies__checkpoint__signed_at", filter=of & ~Q(**{status: statuses.SENT})),
        reason=Subquery(unsent.order_by("-pk").values("reason")[:1]),
    )
    found = rows.order_by(F("ended_at").desc(nulls_first=True), "name", "pk")
    columns = ("sent", "open", "failed", "last_at", "oldest_open_at", "reason")
    return [WitnessStand(one, **{name: vars(one)[name] for name in columns}) for one in found]


@dataclass(frozen=True, slots=True)
class SealNeeds:
    """What of the seal waits for this person: copies that no witness got, and entries somebody asked to take out."""

    broken_at: int | None = None
    undelivered: int = 0
    redactions: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return self.broken_at is not None or bool(self.undelivered or self.redactions)


def needs(incident: Incident, actor: Actor, now: datetime) -> SealNeeds:
    """One query for whoever leads or looks after the portal; none for everybody else."""
    may_mend, may_decide = can(actor, "manage_witnesses"), can(actor, "decide_redaction")
    if not may_mend and not may_decide:
        return SealNeeds()
    with connection.cursor() as cursor:
        cursor.execute(NEEDS, [incident.pk, now - UNDELIVERED, incident.pk, actor.user_id or 0])
        undelivered, redactions = cursor.fetchone()
    return SealNeeds(
        incident.chain_broken_at,
        undelivered if may_mend else 0,
        tuple(redactions or ()) if may_decide else (),
    )

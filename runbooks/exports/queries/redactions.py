"""What a redaction would take, what it would leave, and what was taken out so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from runbooks.attachments.models import Attachment
from runbooks.exports.models import Export, Redaction
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import key_of
from runbooks.timeline import queries
from runbooks.timeline.models import Lane, TimelineEvent

PAGE = 50
SHOWN = 20
# How the keys of notices begin whose words were taken out.
SILENCED = "redacted-"


@dataclass(frozen=True, slots=True)
class Effect:
    """What goes with an entry's content, and where the same may still stand afterwards.

    `repeats` are entries that say its words again: what corrects it, and its pins. `about_accounts` counts other
    entries about the same accounts, `notices_kept` notices of the same moment that may be about it.
    """

    notices: int
    notices_sent: int
    notices_kept: int
    repeats: Sequence[TimelineEvent]
    about_accounts: int
    files: Sequence[Attachment]
    exports: int


def effect_of(event: TimelineEvent) -> Effect:
    mine = notices_of(event)
    keys = {notice.pk for notice in mine}
    same_moment = sum(notice.pk not in keys for notice in _same_moment(event))
    accounts = TimelineEvent.objects.filter(incident=event.incident_id, account_ids__overlap=event.account_ids)
    return Effect(
        notices=len(mine),
        notices_sent=sum(notice.status == Notification.Status.DELIVERED for notice in mine),
        notices_kept=same_moment,
        repeats=_repeats(event),
        about_accounts=accounts.exclude(pk=event.pk).count() if event.account_ids else 0,
        files=list(Attachment.objects.filter(incident=event.incident_id, sequence=event.sequence)[:SHOWN]),
        exports=Export.objects.filter(
            incident=event.incident_id, status=Export.Status.READY, head_sequence__gte=event.sequence
        ).count(),
    )


def notices_of(event: TimelineEvent) -> list[Notification]:
    """The notices that were written of this entry. Their key is a hash over its number among others, which tells."""
    return [notice for notice in _same_moment(event) if notice.idempotency_key == _key(notice, event.sequence)]


def _key(notice: Notification, sequence: int) -> str:
    said = (notice.subject, notice.body)
    return key_of(notice.incident_id, notice.event, sequence, notice.recipient_id, notice.channel, *said)


def _same_moment(event: TimelineEvent) -> QuerySet[Notification]:
    notices = Notification.objects.filter(incident=event.incident_id, created_at=event.recorded_at)
    return notices.exclude(idempotency_key__startswith=SILENCED)


def _repeats(event: TimelineEvent) -> list[TimelineEvent]:
    """What corrects it quotes it, and so does what it corrects; a pin says how it begins."""
    later = queries.corrections(event.incident_id, event.sequence)
    # By lane first, which has an index.
    pins = Q(lane=Lane.NOTE, kind__in=["entry.pinned", "entry.unpinned"], details__entry=event.sequence)
    mine = TimelineEvent.objects.filter(incident=event.incident_id, salt__isnull=False)
    others = mine.filter(pins | Q(sequence__in=[one.sequence for one in later]) | Q(sequence=event.corrects or 0))
    return list(others.exclude(kind="entry.redacted").order_by("sequence")[:SHOWN])


def redactions_of(incident_id: UUID, *, before: int | None = None) -> list[Redaction]:
    """Newest first, one more than a page."""
    rows = Redaction.objects.filter(incident=incident_id).select_related("event", "requester", "decider")
    return list((rows.filter(pk__lt=before) if before else rows).order_by("-pk")[: PAGE + 1])


def requests_for(event: TimelineEvent) -> list[Redaction]:
    """All requests there were for this entry, the newest first."""
    return list(Redaction.objects.filter(event=event).select_related("requester", "decider").order_by("-pk")[:SHOWN])


def newest_request(event: TimelineEvent) -> Redaction | None:
    return Redaction.objects.filter(event=event).select_related("requester", "decider").order_by("-pk").first()

"""What a redaction would take, what it would leave, and what was taken out so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from runbooks.attachments.models import Attachment
from runbooks.exports.models import Export, Redaction
from runbooks.notifications.models import Notification
from runbooks.notifications.queries import notices_of_entry
from runbooks.timeline import queries
from runbooks.timeline.models import Lane, TimelineEvent

PAGE = 50
SHOWN = 20


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
    mine = notices_of_entry(event.incident_id, event.sequence)
    statuses = list(mine.values_list("status", flat=True))
    moment = Notification.objects.filter(incident=event.incident_id, created_at=event.recorded_at)
    same_moment = moment.exclude(sequence=event.sequence).count()
    accounts = TimelineEvent.objects.filter(incident=event.incident_id, account_ids__overlap=event.account_ids)
    return Effect(
        notices=len(statuses),
        notices_sent=statuses.count(Notification.Status.DELIVERED),
        notices_kept=same_moment,
        repeats=_repeats(event),
        about_accounts=accounts.exclude(pk=event.pk).count() if event.account_ids else 0,
        files=list(Attachment.objects.filter(incident=event.incident_id, sequence=event.sequence)[:SHOWN]),
        exports=Export.objects.filter(
            incident=event.incident_id, status=Export.Status.READY, head_sequence__gte=event.sequence
        ).count(),
    )


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

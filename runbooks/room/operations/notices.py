"""What people do about notices that did not arrive."""

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from runbooks.access.permissions import Actor, require
from runbooks.errors import DomainError, NotFoundError
from runbooks.incidents.operations import lock
from runbooks.notifications.channels.base import Reason
from runbooks.notifications.models import Notification
from runbooks.notifications.operations.resending import Resent, requeue_all
from runbooks.notifications.standing import UNREACHED, Standing, standing_of
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record

logger = logging.getLogger(__name__)

# One press sends so many again, the oldest first; the next press the rest.
AT_ONCE = 500
NAMED = 5
HOW_MAX = 200


class CannotTryAgainError(DomainError):
    """The notice is under way or has arrived, or there is still no address it may go to."""


class CannotSettleError(DomainError):
    """Nobody said how they were told, or they have been reached since."""

    status = 400


@transaction.atomic
def try_notice_again(*, incident_id: UUID, notification_id: UUID, actor: Actor, at: datetime) -> Notification:
    """Send a failed or held notice once more, by the ways its recipient has now. Also when the incident is over."""
    require(actor, "manage_people", incident_id)
    incident = lock(incident_id)
    notice = _locked(incident_id).filter(pk=notification_id).first()
    if notice is None:
        raise NotFoundError("There is no such notice in this incident.")
    if standing_of(notice) != Standing.UNREACHED:
        raise CannotTryAgainError(f"The notice to {notice.recipient} is {notice.get_status_display().lower()} by now.")
    before = notice.reason
    refused = requeue_all([notice], at=at).refused
    if refused:
        raise CannotTryAgainError(
            f"{notice.recipient} still cannot be reached: {refused[notice.pk]}. "
            "Ask an administrator to mend that, and reach those who are in the incident by telephone until then."
        )
    said = notice.subject.partition(": ")[2] or notice.subject
    summary = f"Notice “{said}” to {notice.recipient} sent again. Before: {before.rstrip('.')}."
    details = {
        "event": notice.event,
        "recipient": notice.recipient.username,
        "announced_at": notice.created_at.isoformat(),
        "reason": before,
    }
    record(incident, Entry("notice.sent_again", summary, details=details), actor=actor, at=at)
    return notice


@transaction.atomic
def try_notices_again(
    *, incident_id: UUID, actor: Actor, at: datetime, recipient_id: int | None = None
) -> tuple[int, int]:
    """Send all that reached nobody once more, or all to one person: how many leave, and how many still cannot.

    Up to 500 at once, the oldest first. One entry says it.
    """
    require(actor, "manage_people", incident_id)
    incident = lock(incident_id)
    notices = _unreached(incident_id, recipient_id)
    if not notices:
        raise CannotTryAgainError("Nothing is left to send again: everybody was reached meanwhile, or is being told.")
    resent = requeue_all(notices, at=at)
    if not resent.sent:
        why = "; ".join(sorted({f"{one.recipient}, {resent.refused[one.pk]}" for one in notices})[:NAMED])
        raise CannotTryAgainError(f"Nobody can be reached yet: {why}. Mend that first, or tell them another way.")
    people = sorted({str(one.recipient) for one in resent.sent})
    summary = f"{plural(len(resent.sent), 'notice')} sent again to {_named(people)}"
    if resent.refused:
        summary += f"; {plural(len(resent.refused), 'notice')} still cannot leave"
    record(incident, Entry("notice.sent_again", f"{summary}.", details=_details(notices, resent)), actor=actor, at=at)
    return len(resent.sent), len(resent.refused)


@transaction.atomic
def settle_notices(*, incident_id: UUID, recipient_id: int, how: str, actor: Actor, at: datetime) -> int:
    """Say that somebody whom notices did not reach was told another way; how many notices that settles."""
    require(actor, "manage_people", incident_id)
    incident = lock(incident_id)
    how = " ".join(how.replace("\0", " ").split())[:HOW_MAX]
    if not how:
        raise CannotSettleError("Say how they were told: by telephone at 04:20, say.")
    notices = _unreached(incident_id, recipient_id)
    if not notices:
        raise CannotSettleError("They have been reached meanwhile, or are being told. Look at the page again.")
    person = notices[0].recipient
    Notification.objects.filter(pk__in=[notice.pk for notice in notices]).update(
        status=Notification.Status.DROPPED,
        reason_code=Reason.WITHDRAWN,
        reason=f"told another way, says {actor}: {how}"[:300],
    )
    summary = f"{person}, whom {plural(len(notices), 'notice')} did not reach, was told another way: {how}"
    details = {"recipient": person.username, "how": how, "events": sorted({notice.event for notice in notices})}
    record(incident, Entry("notice.settled", summary, Lane.CONTACT, details), actor=actor, at=at)
    return len(notices)


@transaction.atomic
def try_portal_notices_again(*, actor: Actor, at: datetime) -> tuple[int, int]:
    """The same for notices about the portal itself, which no timeline tells of: their rows do, and the log."""
    require(actor, "send_portal_notices")
    notices = Notification.objects.select_for_update(of=("self",)).select_related("recipient")
    waiting = list(notices.filter(UNREACHED, incident__isnull=True).order_by("created_at", "pk")[:AT_ONCE])
    if not waiting:
        raise CannotTryAgainError("Nothing is left to send again: everybody was reached meanwhile, or is being told.")
    resent = requeue_all(waiting, at=at)
    logger.info("%s sends %d notices about the portal again", actor, len(resent.sent))
    return len(resent.sent), len(resent.refused)


def _locked(incident_id: UUID) -> QuerySet[Notification]:
    notices = Notification.objects.select_for_update(of=("self",)).select_related("recipient", "incident")
    return notices.filter(incident_id=incident_id)


def _unreached(incident_id: UUID, recipient_id: int | None) -> list[Notification]:
    notices = _locked(incident_id).filter(UNREACHED)
    if recipient_id is not None:
        notices = notices.filter(recipient_id=recipient_id)
    return list(notices.order_by("created_at", "pk")[:AT_ONCE])


def _named(people: Sequence[str]) -> str:
    rest = len(people) - NAMED
    return ", ".join(people[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _details(notices: Sequence[Notification], resent: Resent) -> dict[str, object]:
    sent = [
        {"event": one.event, "recipient": one.recipient.username, "announced_at": one.created_at.isoformat()}
        for one in resent.sent
    ]
    refused = {f"{one.recipient.username}: {resent.refused[one.pk]}" for one in notices if one.pk in resent.refused}
    return {"sent": sent, "refused": sorted(refused)}

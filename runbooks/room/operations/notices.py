"""What people do about notices that did not arrive."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.errors import DomainError, NotFoundError
from runbooks.incidents.operations import lock
from runbooks.notifications.models import Notification
from runbooks.notifications.operations.resending import refusal_now, requeue
from runbooks.notifications.queries import UNDELIVERED
from runbooks.timeline.operations import Entry, record


class CannotTryAgainError(DomainError):
    """The notice is under way or has arrived, or there is still no address it may go to."""


@transaction.atomic
def try_notice_again(*, incident_id: UUID, notification_id: UUID, actor: Actor, at: datetime) -> Notification:
    """Send a failed or refused notice once more, to the address now on file. Also when the incident is over."""
    require(actor, "manage_people", incident_id)
    incident = lock(incident_id)
    notices = Notification.objects.select_for_update(of=("self",)).select_related("recipient")
    notice = notices.filter(incident_id=incident.pk, pk=notification_id).first()
    if notice is None:
        raise NotFoundError("There is no such notice in this incident.")
    if notice.status not in UNDELIVERED:
        raise CannotTryAgainError(f"The notice to {notice.recipient} is {notice.get_status_display().lower()} by now.")
    if refusal := refusal_now(notice):
        raise CannotTryAgainError(
            f"{notice.recipient} still cannot be reached: {refusal}. "
            "Ask an administrator to mend that, and reach those who are in the incident by telephone until then."
        )
    before = notice.reason
    requeue(notice, at=at)
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

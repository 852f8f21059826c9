"""Taking out the words of notices with the entry they told of, for the redaction above."""

from typing import Final
from uuid import UUID

from django.db.models import Case, CharField, Value, When
from django.db.models.functions import Cast, Concat, Replace

from runbooks.notifications.channels.base import Reason
from runbooks.notifications.models import Escalation, Notification
from runbooks.notifications.queries import SILENCED, notices_of_entry

SUBJECT: Final = "Taken out with entry {}"
Status = Notification.Status


def silence(incident_id: UUID, sequence: int, *, body: str) -> int:
    """Erase the words of the notices written of this entry, in the caller's transaction; how many.

    Those that wait are not sent any more, and chains about it call nobody with its words.
    """
    subject = SUBJECT.format(sequence)
    waits = When(status__in=[Status.WAITING, Status.HELD], delivered_at__isnull=True, then=Value(Status.DROPPED))
    count = notices_of_entry(incident_id, sequence).update(
        subject=subject,
        body=body,
        brief=subject,
        idempotency_key=_keyless(),
        status=Case(waits, When(status=Status.WAITING, then=Value(Status.DELIVERED)), default="status"),
        reason_code=Case(When(status=Status.WAITING, then=Value(Reason.WITHDRAWN)), default="reason_code"),
        reason=Case(When(status=Status.WAITING, then=Value("its words were taken out")), default="reason"),
    )
    said = {"subject": subject, "body": body, "brief": subject}
    for chain in Escalation.objects.filter(incident_id=incident_id, sequence=sequence):
        chain.texts = dict.fromkeys(chain.texts, said)
        chain.save(update_fields=["texts"])
    return count


def _keyless() -> Concat:
    bare = Replace(Cast("pk", CharField()), Value("-"), Value(""))
    return Concat(Value(SILENCED), bare)

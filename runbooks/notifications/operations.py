"""The outbox: what an operation announces is written with its change, and delivered afterwards."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string

from runbooks.access.models import User
from runbooks.access.permissions import TALKING
from runbooks.background import wake
from runbooks.notifications.channels import CHANNELS, channel
from runbooks.notifications.models import Notification
from runbooks.presentation import full_clock

SUBJECT_MAX = 300
Status = Notification.Status


class Announcing(Protocol):
    """An incident, as far as a notice needs it."""

    id: UUID
    reference: str
    title: str
    tlp: str
    is_exercise: bool
    head_sequence: int

    @property
    def zone(self) -> ZoneInfo: ...


def announce(
    incident: Announcing, event: str, context: Mapping[str, Any], *, at: datetime, to: Iterable[User] | None = None
) -> None:
    """Write one notice a recipient and channel, in the transaction of the change, then wake a worker.

    `event` names the template notifications/<event>.txt, which is rendered once, with `context`. Without `to`,
    everybody hears it who works in the incident, whoever did it included: a coordinator whose session was stolen
    learns from the notice what was done under their name. Call it after `record`.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("A notice belongs into the transaction of its change")
    subject, body = _render(incident, event, context, at)
    recipients = {user.pk: user for user in (working_in(incident.id) if to is None else to)}
    notices = [
        _notice(incident, event, subject, body, user=user, channel_name=name, at=at)
        for user in recipients.values()
        for name in CHANNELS
    ]
    # The same words about the same entry to the same person are one notice, even when an operation says them twice.
    Notification.objects.bulk_create(notices, batch_size=1000, ignore_conflicts=True)
    for notice in notices:
        if notice.status == Status.WAITING:
            wake("notifications.deliver", notification_id=str(notice.pk))


def working_in(incident_id: UUID) -> Iterable[User]:
    """Current members who work in the incident. Auditors only read, and administrators look after the portal."""
    return User.objects.filter(
        is_active=True, role__in=TALKING, memberships__incident_id=incident_id, memberships__ended_at__isnull=True
    )


def _render(incident: Announcing, event: str, context: Mapping[str, Any], at: datetime) -> tuple[str, str]:
    """Subject and body: the first line of the template's text, and the rest."""
    said = {
        key: full_clock(value, incident.zone) if isinstance(value, datetime) else value
        for key, value in context.items()
    }
    frame = {
        "reference": incident.reference,
        # On one line, since it could otherwise break out of the line it stands in.
        "incident_title": " ".join(incident.title.split()),
        "tlp": f"TLP:{incident.tlp}",
        "is_exercise": incident.is_exercise,
        "entry": incident.head_sequence,
        "happened_at": full_clock(at, incident.zone),
        "portal": urlsplit(settings.PORTAL_URL).netloc,
    }
    subject, _, body = render_to_string(f"notifications/{event}.txt", said | frame).strip().partition("\n")
    return " ".join(subject.split())[:SUBJECT_MAX], body.strip() + "\n"


def _notice(
    incident: Announcing, event: str, subject: str, body: str, *, user: User, channel_name: str, at: datetime
) -> Notification:
    address = channel(channel_name).address_of(user)
    refusal = channel(channel_name).refusal(address)
    said = "\n".join([str(incident.id), event, str(incident.head_sequence), str(user.pk), channel_name, subject, body])
    return Notification(
        incident_id=incident.id,
        event=event,
        recipient=user,
        channel=channel_name,
        address=address,
        subject=subject,
        body=body,
        idempotency_key=hashlib.sha256(said.encode()).hexdigest(),
        status=Status.REFUSED if refusal else Status.WAITING,
        reason=refusal,
        next_attempt_at=at,
        created_at=at,
    )

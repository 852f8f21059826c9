"""Delivering in the background: woken when something is announced, and by the clock for what that left."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from runbooks.notifications.operations import deliver
from runbooks.notifications.operations.contacting import send_codes as send_waiting_codes
from runbooks.notifications.operations.outcomes import Outcome, note_outcome
from runbooks.notifications.operations.pulses import pulse

# A provider may tell what became of a message before the worker that sent it could note under which name it goes.
FIRST_LOOK: Final = timedelta(seconds=15)
LOOKS: Final = 5


@shared_task(name="notifications.deliver", ignore_result=True)
def deliver_due() -> None:
    found = deliver(clock=timezone.now)
    pulse("notifications.deliver", f"{found} due")


@shared_task(name="notifications.send_codes", ignore_result=True)
def send_codes() -> None:
    send_waiting_codes(clock=timezone.now)
    pulse("notifications.send_codes")


@shared_task(name="notifications.note_outcome", ignore_result=True, bind=True)
def note_outcome_later(
    self: Any, channel: str, provider_id: str, outcome: str, sentence: str, notification_id: str = ""
) -> None:
    """Looks again after 15 s, 30 s, 1 min ...: an id that nobody knows by then is none of the portal's."""
    if (
        not note_outcome(
            channel=channel,
            provider_id=provider_id,
            outcome=Outcome(outcome),
            sentence=sentence,
            at=timezone.now(),
            notification_id=UUID(notification_id) if notification_id else None,
        )
        and self.request.retries < LOOKS
    ):
        raise self.retry(countdown=FIRST_LOOK.total_seconds() * 2**self.request.retries, max_retries=LOOKS)

"""Delivering in the background: swept by the clock, woken a subscription."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from runbooks.notifications.operations import pulse
from runbooks.subscriptions.operations import delivering, sweeping


@shared_task(name="subscriptions.sweep", ignore_result=True)
def sweep() -> None:
    sweeping.sweep(clock=timezone.now)
    pulse("subscriptions.sweep")


@shared_task(name="subscriptions.deliver", ignore_result=True)
def deliver(subscription_id: str) -> None:
    delivering.deliver_due(subscription_id=UUID(subscription_id), clock=timezone.now)


@shared_task(name="subscriptions.forget", ignore_result=True)
def forget() -> None:
    sweeping.forget_redacted()
    pulse("subscriptions.forget")

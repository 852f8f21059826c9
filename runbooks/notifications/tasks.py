"""Delivering in the background: woken one by one, swept by the clock."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from runbooks.notifications import operations


@shared_task(name="notifications.deliver", ignore_result=True)
def deliver(notification_id: str) -> None:
    operations.deliver(notification_id=UUID(notification_id), at=timezone.now())


@shared_task(name="notifications.sweep", ignore_result=True)
def sweep() -> None:
    operations.sweep(clock=timezone.now)

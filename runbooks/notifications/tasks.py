"""Delivering in the background: woken when something is announced, and by the clock for what that left."""

from celery import shared_task
from django.utils import timezone

from runbooks.notifications.operations import deliver


@shared_task(name="notifications.deliver", ignore_result=True)
def deliver_due() -> None:
    deliver(clock=timezone.now)

"""Delivering in the background: woken when something is announced, and by the clock for what that left."""

from celery import shared_task
from django.utils import timezone

from runbooks.notifications.operations import deliver
from runbooks.notifications.operations.contacting import send_codes as send_waiting_codes
from runbooks.notifications.operations.pulses import pulse


@shared_task(name="notifications.deliver", ignore_result=True)
def deliver_due() -> None:
    found = deliver(clock=timezone.now)
    pulse("notifications.deliver", f"{found} due")


@shared_task(name="notifications.send_codes", ignore_result=True)
def send_codes() -> None:
    send_waiting_codes(clock=timezone.now)
    pulse("notifications.send_codes")

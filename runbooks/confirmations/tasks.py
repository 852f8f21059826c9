"""Asking the directory about claims, and looking at wrong tries, in the background."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from runbooks.confirmations.operations import checking, probing, sending, watching
from runbooks.notifications.operations import pulse


@shared_task(name="confirmations.check", ignore_result=True)
def check(incident_id: str) -> None:
    checking.check(incident_id=UUID(incident_id), clock=timezone.now)


@shared_task(name="confirmations.sweep", ignore_result=True)
def sweep() -> None:
    for incident_id in checking.incidents_due(timezone.now()):
        checking.check(incident_id=incident_id, clock=timezone.now)
    if sending.is_due(timezone.now()):
        send_texts.delay()
    pulse("confirmations.sweep")


@shared_task(name="confirmations.send_texts", ignore_result=True)
def send_texts() -> None:
    sending.send_texts(clock=timezone.now)


@shared_task(name="confirmations.watch", ignore_result=True)
def watch() -> None:
    watching.watch_all(clock=timezone.now)
    pulse("confirmations.watch")


@shared_task(name="confirmations.probes", ignore_result=True)
def probes() -> None:
    probing.look(at=timezone.now())
    pulse("confirmations.probes")

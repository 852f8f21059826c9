"""Carrying actions out in the background: woken one by one, swept by the clock."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from runbooks.actions.operations import previewing, running, sweeping, verifying


@shared_task(name="actions.preview", ignore_result=True)
def preview(action_id: str) -> None:
    previewing.preview(action_id=UUID(action_id), clock=timezone.now)


@shared_task(name="actions.run", ignore_result=True)
def run(action_id: str) -> None:
    running.run(action_id=UUID(action_id), clock=timezone.now)


@shared_task(name="actions.verify", ignore_result=True)
def verify(action_id: str) -> None:
    verifying.verify(action_id=UUID(action_id), clock=timezone.now)


@shared_task(name="actions.sweep", ignore_result=True)
def sweep() -> None:
    sweeping.sweep(at=timezone.now())

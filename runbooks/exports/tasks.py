"""Signing, witnessing, stamping and verifying in the background: woken by name, swept by the clock."""

import logging
from typing import Any
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from runbooks.access.permissions import PORTAL
from runbooks.exports import wishes
from runbooks.exports.keys import NoKeyError
from runbooks.exports.models import Checkpoint
from runbooks.exports.operations import checkpoints, stamping, verifying, witnessing
from runbooks.exports.operations.asking import take_wish
from runbooks.exports.operations.making import make_export
from runbooks.exports.progress import Progress
from runbooks.exports.queries.list import left_over
from runbooks.notifications.operations import pulse

logger = logging.getLogger(__name__)
FELL_OVER = "The worker fell over before it could take it down. Ask again; if that stays, tell an administrator."


@shared_task(name="exports.checkpoint", ignore_result=True)
def checkpoint(incident_id: str, reason: str) -> None:
    try:
        checkpoints.make_checkpoint(incident_id=UUID(incident_id), reason=reason, at=timezone.now())
    except NoKeyError as error:
        logger.warning("No checkpoint: %s", error)


@shared_task(name="exports.checkpoints", ignore_result=True)
def sign_all() -> None:
    for incident_id in checkpoints.unsigned_incidents():
        checkpoint(str(incident_id), Checkpoint.Reason.PERIODIC)
    pulse("exports.checkpoints")


@shared_task(name="exports.witness", ignore_result=True)
def witness() -> None:
    witnessing.send_copies(clock=timezone.now)
    pulse("exports.witness")


@shared_task(name="exports.stamp", ignore_result=True)
def stamp() -> None:
    stamping.stamp_due(clock=timezone.now)
    pulse("exports.stamp")


@shared_task(name="exports.verify", ignore_result=True)
def verify(incident_id: str, asked_by: str) -> None:
    """The whole chain, for a person who asked."""
    progress = Progress(UUID(incident_id))
    progress.tell(0)
    try:
        verifying.verify(
            incident_id=UUID(incident_id), whole=True, asked_by=asked_by, clock=timezone.now, tell=progress.tell
        )
    finally:
        progress.end()


@shared_task(name="exports.verify_due", ignore_result=True)
def verify_due() -> None:
    for incident_id, whole in verifying.due(timezone.now()):
        verifying.verify(incident_id=incident_id, whole=whole, asked_by=PORTAL.name, clock=timezone.now)
    pulse("exports.verify_due")


@shared_task(name="exports.ask", ignore_result=True)
def ask(export_id: str, incident_id: str, user_id: int, wish: dict[str, Any]) -> None:
    """What a page asked for. No row tells of it before it is taken down, so the page must."""
    key = UUID(export_id)
    try:
        take_wish(export_id=key, incident_id=UUID(incident_id), user_id=user_id, wish=wish, clock=timezone.now)
    except Exception:
        wishes.refuse(key, FELL_OVER)
        raise


@shared_task(name="exports.make", ignore_result=True)
def make(export_id: str) -> None:
    make_export(export_id=UUID(export_id), clock=timezone.now, watched=True)


@shared_task(name="exports.make_left", ignore_result=True)
def make_left() -> None:
    """Exports whose wake-up was lost, or whose worker died."""
    for export_id in left_over(timezone.now()):
        make(str(export_id))
    pulse("exports.make_left")

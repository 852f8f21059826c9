"""The notices of the story, delivered when they would have been, so that no worker sends a day's mail at once."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings

from ir_portal.embedded import port_is_free
from ir_portal.engines.state import folder
from ir_portal.mail_sink import KeepingHandler
from runbooks.access.permissions import actor_for
from runbooks.demonstration.people import OUTDATED
from runbooks.notifications.models import Escalation, Notification
from runbooks.notifications.operations import acknowledge, deliver

SMTP_BACKEND = "runbooks.notifications.channels.smtp.Backend"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
TOOK = timedelta(seconds=3)
ANSWERED = timedelta(minutes=3)


class _Sink(KeepingHandler):
    """Keeps mail as the demonstration's sink does, and knows one mailbox that is no longer there."""

    async def handle_RCPT(  # noqa: N802  # aiosmtpd looks its handlers up by these names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == OUTDATED:
            return "550 5.1.1 No mailbox of this name here"
        envelope.rcpt_tos.append(address)
        return "250 OK"


def deliver_as_of_then(incident_id: UUID) -> int:
    """Deliver every waiting notice as of three seconds after it was written; how many those were.

    Where mail goes to a server elsewhere they are left to the worker: that server would date them now anyway.
    """
    if settings.EMAIL_BACKEND == SMTP_BACKEND and settings.EMAIL_HOST not in LOOPBACK:
        return 0
    waiting = Notification.objects.filter(incident_id=incident_id, status=Notification.Status.WAITING)
    notices = list(waiting.order_by("next_attempt_at", "pk").values_list("pk", "next_attempt_at"))
    with _sink():
        for notification_id, leaves_at in notices:
            deliver(clock=_at(leaves_at + TOOK), only=[notification_id])
    _answer(incident_id)
    return len(notices)


def _answer(incident_id: UUID) -> None:
    """Whoever was told first of what calls for an answer gave it within minutes, so that no chain of then runs on."""
    chains = Escalation.objects.filter(incident_id=incident_id, status=Escalation.Status.RUNNING)
    for chain in chains.order_by("started_at", "pk"):
        first = chain.notifications.select_related("recipient").order_by("created_at", "recipient_id").first()
        if first is not None:
            acknowledge(notification_id=first.pk, actor=actor_for(first.recipient), at=chain.started_at + ANSWERED)


def _at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


@contextmanager
def _sink() -> Iterator[None]:
    """A mail sink of our own while there is none: `make demo` loads the story before it starts its own."""
    if settings.EMAIL_BACKEND != SMTP_BACKEND or not port_is_free(settings.EMAIL_PORT):
        yield
        return
    # aiosmtpd tells of every line of every session.
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    controller = Controller(_Sink(folder("mail")), hostname="127.0.0.1", port=settings.EMAIL_PORT)
    controller.start()
    try:
        yield
    finally:
        controller.stop()

"""Sending codes: claim (transaction), send, note (transaction).

The code is made by the worker that sends it, so it stands in no queue and in no row. A worker that dies leaves a lease
that runs out, and the next one makes another code.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string

from runbooks.access.vault import CannotOpenError, opened
from runbooks.contacts.models import ContactCode, ContactPoint, ContactPreferences
from runbooks.notifications.channels import CHANNELS, channel
from runbooks.notifications.channels.base import ChannelError, Message, Reason
from runbooks.notifications.operations.contacting.codes import DIGITS, GOOD_FOR, hash_of

# A message ends long before, by its channel's time limits.
LEASE: Final = timedelta(seconds=90)
# Whoever asked has gone by then.
WAITED_FOR: Final = timedelta(minutes=10)
REASON_MAX: Final = 300
MOST: Final = 100
TOO_LATE: Final = "No worker could send it in time. Have a new one sent."
NOT_NEEDED: Final = "It was not needed any more."
TEMPLATES: Final = {"en-gb": "contacts/code.txt", "cy": "contacts/code_cy.txt"}
Status = ContactCode.Status


@dataclass(frozen=True, slots=True)
class Leaving:
    """A code on its way, in words this once."""

    code: ContactCode
    point: ContactPoint
    language: str
    digits: str = field(repr=False)


def send_codes(*, clock: Callable[[], datetime]) -> int:
    """Send every code that waits, oldest first; how many were looked at. Never inside a transaction."""
    for number in range(MOST):
        found = _claim(clock())
        if found is None:
            return number
        if isinstance(found, Leaving):
            _note(found, _send(found))
    return MOST


@transaction.atomic
def _claim(at: datetime) -> Leaving | ContactCode | None:
    """The next one, leased; a code that is not sent any more is noted so and given back as it is."""
    free = Q(leased_until__isnull=True) | Q(leased_until__lte=at)
    waiting = ContactCode.objects.filter(free, status=Status.WAITING).select_related("point")
    code = waiting.select_for_update(skip_locked=True, of=("self",)).order_by("asked_at", "pk").first()
    if code is None:
        return None
    if because := _not_sent_because(code, at):
        code.status, code.reason, code.code_hash, code.leased_until = Status.FAILED, because, "", None
        code.save(update_fields=["status", "reason", "code_hash", "leased_until"])
        return code
    digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    code.code_hash, code.expires_at, code.leased_until = hash_of(code.pk, digits), at + GOOD_FOR, at + LEASE
    code.save(update_fields=["code_hash", "expires_at", "leased_until"])
    preferences = ContactPreferences.objects.filter(user_id=code.point.user_id).first()
    return Leaving(code, code.point, preferences.language if preferences else "en-gb", digits)


def _not_sent_because(code: ContactCode, at: datetime) -> str:
    if code.asked_at <= at - WAITED_FOR:
        return TOO_LATE
    if code.point.ended_at is not None or code.point.verified_at is not None:
        return NOT_NEEDED
    newer = Q(asked_at__gt=code.asked_at) | Q(asked_at=code.asked_at, pk__gt=code.pk)
    return NOT_NEEDED if ContactCode.objects.filter(newer, point=code.point).exists() else ""


def _send(leaving: Leaving) -> ChannelError | None:
    point = leaving.point
    try:
        if point.channel not in CHANNELS or not channel(point.channel).is_configured():
            words = "The portal is not set up for this channel any more."
            raise ChannelError(words, permanent=True, reason=Reason.NOT_CONFIGURED)
        message = _message(leaving)
        with channel(point.channel).line() as line:
            line.send(message)
    except ChannelError as error:
        return error
    except CannotOpenError as error:
        return ChannelError(str(error), permanent=True, reason=Reason.NOT_CONFIGURED)
    return None


def _message(leaving: Leaving) -> Message:
    point, by = leaving.point, channel(leaving.point.channel)
    # Read out digit by digit, else in two groups that the eye keeps.
    half = DIGITS // 2
    shown = f"{leaving.digits[:half]} {leaving.digits[half:]}"
    said = {
        "code": ", ".join(leaving.digits) if point.channel == "voice" else shown,
        "portal": urlsplit(settings.PORTAL_URL).netloc,
        "minutes": GOOD_FOR.seconds // 60,
    }
    text = render_to_string(TEMPLATES[leaving.language], said).strip()
    subject, _, body = text.partition("\n")
    return Message(
        address=by.clean(point.address),
        subject=subject,
        body=subject if by.IS_SHORT else body.strip() + "\n",
        key=secrets.token_hex(32),
        language=leaving.language,
        secret=opened(point.secret) if point.secret else "",
    )


@transaction.atomic
def _note(leaving: Leaving, error: ChannelError | None) -> None:
    """How it ended, unless the lease ran out meanwhile and somebody else sends another code."""
    held = ContactCode.objects.select_for_update().filter(pk=leaving.code.pk, code_hash=leaving.code.code_hash)
    code = held.filter(status=Status.WAITING).first()
    if code is None:
        return
    code.leased_until = None
    code.status, code.reason = (Status.FAILED, str(error)[:REASON_MAX]) if error else (Status.SENT, "")
    if error is not None and not error.may_have_arrived:
        code.code_hash = ""
    code.save(update_fields=["leased_until", "status", "reason", "code_hash"])

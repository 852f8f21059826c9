"""Trying a channel again at once that rests because it failed."""

from datetime import datetime

from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.background import wake
from runbooks.errors import DomainError
from runbooks.notifications.channels.base import Reason
from runbooks.notifications.models import ChannelState, Notification


class NotRestingError(DomainError):
    """There is nothing to take back."""


@transaction.atomic
def reset_channel(*, channel: str, actor: Actor, at: datetime) -> ChannelState:
    """Let the channel be used again from now on, and what waited for it be sent. What is wrong with it stays wrong:
    after as many failures it rests again."""
    require(actor, "reset_channel")
    state = ChannelState.objects.select_for_update().filter(channel=channel, opened_until__gt=at).first()
    if state is None:
        raise NotRestingError("This channel does not rest any more. Look at the page again.")
    state.failures, state.opened_until = 0, None
    state.save(update_fields=["failures", "opened_until"])
    waiting = Notification.objects.filter(
        status=Notification.Status.WAITING,
        reason_code=Reason.BUSY,
        next_attempt_at__gt=at,
        route__contains=[{"channel": channel}],
    )
    waiting.update(next_attempt_at=at)
    wake("notifications.deliver")
    return state

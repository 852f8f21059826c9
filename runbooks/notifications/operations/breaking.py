"""The circuit breaker of a channel: one that fails again and again is left alone for a while, and people see it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from runbooks.contacts.models import ContactPoint
from runbooks.notifications.channels.base import ChannelError, Reason
from runbooks.notifications.models import ChannelState

OPENS_AFTER: Final = 5
FIRST_REST, LONGEST_REST = timedelta(seconds=15), timedelta(minutes=2)


def resting(at: datetime) -> Mapping[str, ChannelState]:
    """The channels that are left alone now, by name."""
    return {state.channel: state for state in ChannelState.objects.filter(opened_until__gt=at)}


@transaction.atomic
def note_fault(channel: str, error: ChannelError, at: datetime) -> ChannelState:
    """Count a fault of the channel; from the fifth in a row on it rests, longer each time, or as long as it asked."""
    ChannelState.objects.get_or_create(channel=channel)
    state = ChannelState.objects.select_for_update().get(channel=channel)
    state.failures += 1
    rest = timedelta(0)
    if state.failures >= OPENS_AFTER:
        rest = min(FIRST_REST * (1 << min(state.failures - OPENS_AFTER, 8)), LONGEST_REST)
    if error.reason == Reason.BUSY and error.retry_after and state.failures >= OPENS_AFTER:
        rest = max(rest, timedelta(seconds=error.retry_after))
    if rest:
        state.opened_until = at + rest
    state.reason_code, state.reason, state.failed_at = error.reason, str(error)[:300], at
    state.save()
    return state


def note_success(channel: str, at: datetime) -> None:
    """It works: closed again. Written only where it had failed, or once in a while."""
    failed = Q(failures__gt=0) | Q(opened_until__isnull=False)
    stale = Q(worked_at__isnull=True) | Q(worked_at__lt=at - timedelta(minutes=1))
    told = ChannelState.objects.filter(failed | stale, channel=channel).update(
        failures=0, opened_until=None, worked_at=at, reason="", reason_code=""
    )
    if not told:
        ChannelState.objects.get_or_create(channel=channel, defaults={"worked_at": at})


def note_bad_point(point_id: UUID, error: ChannelError, at: datetime) -> None:
    """One person's place does not take messages: their page says since when and why, and it is tried last."""
    working = ContactPoint.objects.filter(pk=point_id, failing_since__isnull=True)
    working.update(failing_since=at, failed_because=str(error)[:300])


def note_good_point(point_id: UUID) -> None:
    ContactPoint.objects.filter(pk=point_id).update(failing_since=None, failed_because="")

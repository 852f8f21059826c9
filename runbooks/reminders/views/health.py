"""Whether everything moves: sweeps, channels, chains, notices, broker; for those who look after it and who need it."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import can, require
from runbooks.notifications.channels import CHANNELS, channel
from runbooks.notifications.models import ChannelState
from runbooks.presentation import plural, span
from runbooks.reminders.clock import database_now
from runbooks.reminders.operations.resetting import reset_channel
from runbooks.reminders.queries import health


@dataclass(frozen=True, slots=True)
class ChannelLine:
    """A channel, and how it fares in words."""

    name: str
    label: str
    icon: str
    tone: str
    says: str
    state: ChannelState | None
    is_resting: bool


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    actor = actor_of(request)
    require(actor, "view_health")
    at = database_now()
    known = health.pulses()
    since = known.get(health.SINCE)
    watched = known.get(health.WATCH)
    begun = since.at if since else at
    context = {
        "faults": health.faults(at, since=begun, own=timezone.now()),
        "since": since,
        "watched": watched,
        "is_watched": watched is not None and at - watched.at <= health.SWEEP_LATE,
        "heartbeat": known.get(health.HEARTBEAT),
        "has_heartbeat": bool(settings.HEARTBEAT_URL),
        "sweeps": [{"sweep": one, "is_late": one.is_late(at, begun)} for one in health.sweeps(known)],
        "channels": _channels(at),
        "counts": health.counts(at),
        "calls": health.running_calls(),
        "broker": health.broker_answers(),
        "may_reset": can(actor, "reset_channel"),
        "zone": ZoneInfo(settings.INSTITUTION_TIME_ZONE),
        "now": at,
    }
    return render(request, "reminders/health.html", context)


@require_POST
def reset(request: PortalRequest, name: str) -> HttpResponse:
    reset_channel(channel=name, actor=actor_of(request), at=timezone.now())
    messages.success(request, f"{channel(name).LABEL} is tried again from now on.")
    return redirect("health")


def _channels(at: datetime) -> list[ChannelLine]:
    """Those that are set up, and of the others those that were used once."""
    states = ChannelState.objects.in_bulk()
    shown = [name for name in CHANNELS if channel(name).is_configured() or name in states]
    return [_line(name, states.get(name), at) for name in shown]


def _line(name: str, state: ChannelState | None, at: datetime) -> ChannelLine:
    label, is_resting = channel(name).LABEL, False
    if not channel(name).is_configured():
        icon, tone, says = "ban", "wait", "Not set up any more"
    elif state is None:
        icon, tone, says = "clock", "", "Not used yet"
    elif state.opened_until and state.opened_until > at:
        icon, tone, is_resting = "pause", "bad", True
        says = f"Rests for {span(state.opened_until - at)} after {plural(state.failures, 'failure')} in a row"
    elif state.failures:
        icon, tone, says = "warn", "wait", f"{plural(state.failures, 'failure')} in a row"
    else:
        icon, tone, says = "done", "good", "Works"
    return ChannelLine(name, label, icon, tone, says, state, is_resting)

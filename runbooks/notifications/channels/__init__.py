"""The ways a notice reaches a person: one line a channel."""

from importlib import import_module
from typing import cast

from runbooks.notifications.channels.base import Channel

CHANNELS = {
    "email": "runbooks.notifications.channels.email",
    "text": "runbooks.notifications.channels.text",
    "voice": "runbooks.notifications.channels.voice",
    "slack": "runbooks.notifications.channels.slack",
    "teams": "runbooks.notifications.channels.teams",
    "mattermost": "runbooks.notifications.channels.mattermost",
    "matrix": "runbooks.notifications.channels.matrix",
    "ntfy": "runbooks.notifications.channels.ntfy",
    "webhook": "runbooks.notifications.channels.webhook",
    "apprise": "runbooks.notifications.channels.apprise_services",
}


def channel(name: str) -> Channel:
    """The channel's module, imported when it is first used."""
    return cast(Channel, import_module(CHANNELS[name]))

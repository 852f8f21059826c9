"""The ways a notice reaches a person: one line a channel."""

from importlib import import_module
from typing import cast

from runbooks.notifications.channels.base import Channel

CHANNELS = {
    "email": "runbooks.notifications.channels.email",
    "text": "runbooks.notifications.channels.text",
}


def channel(name: str) -> Channel:
    """The channel's module, imported when it is first used."""
    return cast(Channel, import_module(CHANNELS[name]))

"""Matrix, by an account of the site's on its homeserver, in rooms that account was invited to and has joined."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.conf import settings

from runbooks.notifications.channels.base import BadAddressError, Line
from runbooks.notifications.channels.domains import ascii_domain
from runbooks.notifications.channels.http import calling
from runbooks.notifications.channels.matrix_line import MEND, MatrixLine
from runbooks.notifications.channels.urls import host_of

LABEL, ADDRESS, EXAMPLE = "Matrix", "Room ID or alias", "#duty:example.org"
IS_SHORT = SIGNS = False
# Rooms of the newest version have no server in their ID.
ROOM: Final = re.compile(r"#[^\s:\x00]{1,200}:[\w.\-\[\]:]{1,100}|![A-Za-z0-9._~\-]{1,200}(:[\w.\-\[\]:]{1,100})?")


def is_configured() -> bool:
    return "matrix" in settings.NOTICE_CHANNELS and bool(settings.MATRIX_HOMESERVER)


def clean(written: str) -> str:
    if not ROOM.fullmatch(address := written.strip()):
        raise BadAddressError(f"Write the room as {EXAMPLE}, or its ID, which begins with an exclamation mark.")
    return address


def domain_of(address: str) -> str:
    _, _, server = address.partition(":")
    return ascii_domain(server.rpartition(":")[0] or server) or host_of(settings.MATRIX_HOMESERVER)


def shown(address: str) -> str:
    return address


@contextmanager
def line() -> Iterator[Line]:
    with calling(mend=MEND, headers={"Authorization": f"Bearer {settings.MATRIX_TOKEN}"}) as caller:
        yield MatrixLine(caller)

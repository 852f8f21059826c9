"""A rota as an iCalendar file (RFC 5545), for calendar programs: who is really on call, stand-ins counted in."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from runbooks.contacts.models import Rota
from runbooks.contacts.queries.schedule import Turn

LINE_BYTES: Final = 75


def calendar(rota: Rota, turns: Iterable[Turn], at: datetime) -> bytes:
    """One event for each turn of somebody; times in UTC, so that no program needs to know the zone."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//IR Portal//Rotas//EN",
        f"X-WR-CALNAME:{escaped(rota.name)}",
        *(line for turn in turns if turn.user_id is not None for line in _event(rota, turn, at)),
        "END:VCALENDAR",
    ]
    return b"".join(folded(line) for line in lines)


def _event(rota: Rota, turn: Turn, at: datetime) -> Iterator[str]:
    host = urlsplit(settings.PORTAL_URL).hostname or "localhost"
    yield "BEGIN:VEVENT"
    yield f"UID:rota-{rota.pk}-{_instant(turn.starts_at)}-{turn.user_id}@{host}"
    yield f"DTSTAMP:{_instant(at)}"
    yield f"DTSTART:{_instant(turn.starts_at)}"
    yield f"DTEND:{_instant(turn.ends_at)}"
    yield f"SUMMARY:{escaped(f'{turn.name} on call, {rota.name}')}"
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def escaped(text: str) -> str:
    """Section 3.3.11; line breaks of any kind and other control characters become spaces, so no name adds a line."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    return plain.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def folded(line: str) -> bytes:
    """Section 3.1: no line is longer than 75 bytes, and none is cut within a character."""
    parts, part = [], b""
    for sign in line:
        encoded = sign.encode()
        if len(part) + len(encoded) > LINE_BYTES:
            parts.append(part)
            part = b" "
        part += encoded
    return b"\r\n".join([*parts, part]) + b"\r\n"

"""When the analysts hand over their lists, and how many accounts of each kind stand on them."""

from dataclasses import dataclass
from datetime import timedelta


def clock(text: str) -> timedelta:
    """An offset from the declaration: 1:25, 26:33, 0:04:30, -0:16."""
    hours, minutes, seconds = (*text.lstrip("-").split(":"), "0")[:3]
    offset = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds))
    return -offset if text.startswith("-") else offset


@dataclass(frozen=True, slots=True)
class Wave:
    """One list. `fallen` accounts were broken into or nearly so, `targeted` only aimed at, `mistaken` looked as if,
    and nobody knows yet about the `suspected`. Without `contained` its accounts wait at the end of the story."""

    number: int
    listed: timedelta
    contained: timedelta | None
    fallen: int
    targeted: int
    mistaken: int
    suspected: int
    name: str


def _wave(number: int, listed: str, contained: str, counts: tuple[int, int, int, int], name: str) -> Wave:
    return Wave(number, clock(listed), clock(contained) if contained else None, *counts, name)


# Who is on no list's tier yet stands in the last one.
WAVES = (
    _wave(1, "0:40", "1:50", (9, 2, 1, 0), "list-01-first-hits.txt"),
    _wave(2, "1:25", "2:45", (9, 3, 1, 0), "list-02-gateway-log.txt"),
    _wave(3, "2:15", "3:25", (13, 3, 2, 0), "list-03-gateway-log.txt"),
    _wave(4, "3:15", "4:30", (12, 4, 1, 0), "list-04-webmail.txt"),
    _wave(5, "4:40", "6:00", (13, 4, 2, 0), "list-05-webmail.txt"),
    _wave(6, "6:15", "7:20", (8, 3, 1, 0), "list-06-imap.txt"),
    _wave(7, "7:40", "9:25", (7, 3, 1, 1), "list-07-imap.txt"),
    _wave(8, "9:35", "11:10", (7, 3, 1, 1), "list-08-second-copy.txt"),
    _wave(9, "11:40", "12:30", (4, 3, 1, 1), "list-09-second-copy.txt"),
    _wave(10, "14:10", "15:10", (2, 2, 0, 1), "list-10-second-copy.txt"),
    _wave(11, "23:20", "", (3, 0, 0, 2), "list-11-second-day.txt"),
    _wave(12, "25:15", "", (3, 0, 0, 3), "list-12-second-day.txt"),
    _wave(13, "26:05", "", (0, 0, 0, 3), "list-13-second-day.txt"),
)
FALLEN = sum(wave.fallen for wave in WAVES)
CONTAINED = sum(wave.fallen for wave in WAVES if wave.contained)
LISTED = sum(wave.fallen + wave.targeted + wave.mistaken + wave.suspected for wave in WAVES)

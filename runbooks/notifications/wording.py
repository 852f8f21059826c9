"""The words of a notice: rendered once, when it happens, in each language that somebody it is for reads."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.template.loader import render_to_string

from runbooks.notifications import edited_texts
from runbooks.notifications.models import Notification
from runbooks.presentation import full_clock

SUBJECT_MAX: Final = 300
# What mail programs make a link of by themselves.
LINK: Final = re.compile(r"://|^[^@]*\w\.[a-z]{2,}(?:[/:?#]|\W*$)", re.I)
FOLDERS: Final = {"en-gb": "notifications", "cy": "notifications/cy"}
MORE: Final = {"en-gb": "(and {count} more)", "cy": "(a {count} arall)"}
ALL: Final = {"en-gb": "All of them:", "cy": "Pob un ohonynt:"}
# From this label on a message may say that there is something, and not what.
CLOSE: Final = frozenset({"AMBER", "AMBER+STRICT", "RED"})


class Announcing(Protocol):
    """An incident, as far as a notice needs it."""

    id: UUID
    reference: str
    title: str
    tlp: str
    severity: int
    is_exercise: bool
    head_sequence: int

    @property
    def zone(self) -> ZoneInfo: ...


@dataclass(frozen=True, slots=True)
class Text:
    """What the portal shows, `subject` and `body`, and what may be said by any channel, `brief`."""

    subject: str
    body: str
    brief: str

    def kept(self) -> dict[str, str]:
        return asdict(self)


def may_say_all(tlp: str) -> bool:
    """Whether a message outside the portal may carry the text: FIRST's TLP 2.0, of which AMBER limits the readers."""
    return tlp not in CLOSE


def written(
    event: str, context: Mapping[str, Any], incident: Announcing | None, *, language: str, at: datetime
) -> Text:
    """The texts of an event. Whatever people wrote is tamed first, so that it says nothing in the portal's name."""
    zone = incident.zone if incident else ZoneInfo(settings.INSTITUTION_TIME_ZONE)
    said = {
        key: full_clock(value, zone) if isinstance(value, datetime) else tamed(value) for key, value in context.items()
    }
    frame = _frame(incident) | {"happened_at": full_clock(at, zone), "portal": urlsplit(settings.PORTAL_URL).netloc}
    folder = FOLDERS[language]
    whole = edited_texts.rendered(event, language, said | frame)
    if whole is None:
        whole = render_to_string(f"{folder}/{event}.txt", said | frame)
    subject, _, body = whole.strip().partition("\n")
    brief = render_to_string(f"{folder}/_brief.txt", frame)
    return Text(" ".join(subject.split())[:SUBJECT_MAX], body.strip() + "\n", " ".join(brief.split())[:SUBJECT_MAX])


def _frame(incident: Announcing | None) -> dict[str, Any]:
    if incident is None:
        return {"reference": "IR Portal", "incident_title": "", "tlp": "", "is_exercise": False, "entry": 0}
    return {
        "reference": incident.reference,
        "incident_title": tamed(incident.title),
        "tlp": f"TLP:{incident.tlp}",
        "is_exercise": incident.is_exercise,
        "entry": incident.head_sequence,
    }


def tamed(value: object) -> object:
    """What somebody wrote, on one line and without a link to press.

    It could otherwise break out of its line and say something as if the portal did, or lead where an attacker wants:
    whoever may declare an incident can have this text sent to everybody.
    """
    if not isinstance(value, str):
        return value
    return " ".join(_unlinked(word) if LINK.search(word) else word for word in value.split())


def _unlinked(word: str) -> str:
    return word.replace("://", "[:]//").replace(".", "[.]")


def gathered(notices: Sequence[Notification], language: str) -> tuple[str, str]:
    """Subject and body of one message that says what several notices say; the first of them gives the frame."""
    first = notices[0]
    more = MORE[language].format(count=len(notices) - 1)
    lines = "".join(f"- {notice.subject}\n" for notice in notices)
    return f"{first.subject} {more}"[:SUBJECT_MAX], f"{ALL[language]}\n{lines}\n{first.body}"

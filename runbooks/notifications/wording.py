"""The words of a notice: rendered once, when it happens, in each language that somebody it is for reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.template.loader import render_to_string

from runbooks.notifications import edited_texts
from runbooks.notifications.edited_texts import Fault
from runbooks.notifications.models import Notification
from runbooks.notifications.shipped_texts import FOLDERS, Wording, path_of
from runbooks.notifications.taming import tamed
from runbooks.notifications.text_rules import SUBJECT_MAX, BadTextError
from runbooks.presentation import full_clock

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
    """What the portal shows, `subject` and `body`, and what may be said by any channel, `brief`.

    `fault`: an administrator's text could not be used, and these are the words as shipped.
    """

    subject: str
    body: str
    brief: str
    fault: Fault | None = field(default=None, compare=False)

    def kept(self) -> dict[str, str]:
        return {"subject": self.subject, "body": self.body, "brief": self.brief}


def may_say_all(tlp: str) -> bool:
    """Whether a message outside the portal may carry the text: FIRST's TLP 2.0, of which AMBER limits the readers."""
    return tlp not in CLOSE


def leaving(subject: str, body: str, brief: str, *, tlp: str | None, is_short: bool) -> tuple[str, str]:
    """Subject and body as a message outside the portal says them; `tlp` is None for what is of no incident."""
    if tlp is not None and not may_say_all(tlp):
        subject, body = brief, brief + "\n"
    return subject, subject if is_short else body


def written(
    event: str, context: Mapping[str, Any], incident: Announcing | None, *, language: str, at: datetime
) -> Text:
    """The texts of an event. An edited one that cannot be used, whatever is wrong with it, gives way to the shipped."""
    values = values_of(context, incident, at)
    whole = edited_texts.rendered(event, language, values)
    fault = whole if isinstance(whole, Fault) else None
    if whole is None or isinstance(whole, Fault):
        whole = render_to_string(path_of(event, language), values)
    return _text(whole, values, language, fault)


def tried(event: str, wording: Wording, values: Mapping[str, Any], *, language: str) -> Text:
    """The same of a text that is not kept yet. Raises BadTextError."""
    whole = edited_texts.framed(event, language, wording, values)
    if (length := len(whole.strip().partition("\n")[0])) > SUBJECT_MAX:
        mend = f"Shorten it by {length - SUBJECT_MAX:,}."
        raise BadTextError(f"With label and reference the subject has {length:,} characters. {mend}", "subject")
    return _text(whole, values, language)


def values_of(context: Mapping[str, Any], incident: Announcing | None, at: datetime) -> dict[str, Any]:
    """What fills a text: the event's words, tamed so that they say nothing in the portal's name, and the frame's."""
    zone = incident.zone if incident else ZoneInfo(settings.INSTITUTION_TIME_ZONE)
    said = {
        key: full_clock(value, zone) if isinstance(value, datetime) else tamed(value) for key, value in context.items()
    }
    frame = {"happened_at": full_clock(at, zone), "portal": urlsplit(settings.PORTAL_URL).netloc}
    return said | _frame(incident) | frame


def _text(whole: str, values: Mapping[str, Any], language: str, fault: Fault | None = None) -> Text:
    subject, _, body = whole.strip().partition("\n")
    brief = render_to_string(f"{FOLDERS[language]}/_brief.txt", dict(values))
    words = [" ".join(text.split())[:SUBJECT_MAX] for text in (subject, brief)]
    return Text(words[0], body.strip() + "\n", words[1], fault)


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


def gathered(notices: Sequence[Notification], language: str) -> tuple[str, str]:
    """Subject and body of one message that says what several notices say; the first of them gives the frame."""
    first = notices[0]
    more = MORE[language].format(count=len(notices) - 1)
    lines = "".join(f"- {notice.subject}\n" for notice in notices)
    return f"{first.subject} {more}"[:SUBJECT_MAX], f"{ALL[language]}\n{lines}\n{first.body}"

"""Texts as an administrator changed them, in the frame of the shipped ones: what is checked is the frame's to say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.template import Context, TemplateSyntaxError
from django.template.base import VariableDoesNotExist as NoVariableError
from django.template.loader import render_to_string

from runbooks.notifications.events import events
from runbooks.notifications.models import NoticeText
from runbooks.notifications.queries import BEYOND_THE_ROOM
from runbooks.notifications.shipped_texts import Wording, path_of
from runbooks.notifications.taming import unlinked
from runbooks.notifications.text_rules import BadTextError, compiled

FRAME: Final = "notifications/_edited.txt"
FILLED_MAX: Final = 10_000
# Names of the frame that a text does not say itself: where the portal is, is said below each in one and the same way.
FRAME_ONLY: Final = frozenset({"portal"})
# All that a text could stumble over. What the database refuses is none of them: the change it is about fails then.
FAULTS: Final = (
    TemplateSyntaxError,
    NoVariableError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """An edited text that could not be used when it was needed, and why, in a sentence."""

    event: str
    language: str
    version: int
    why: str


def rendered(event: str, language: str, values: Mapping[str, Any]) -> str | Fault | None:
    """The event's text as it was last edited, in its frame; None while it is as shipped, a Fault where it fails."""
    if not events()[event].is_editable:
        return None
    edited = newest(event, language)
    if edited is None or not edited.body:
        return None
    try:
        return framed(event, language, Wording(edited.subject, edited.body), values)
    except FAULTS as error:
        return Fault(event, language, edited.version, str(error) or type(error).__name__)


def newest(event: str, language: str) -> NoticeText | None:
    return NoticeText.objects.filter(event=event, language=language).order_by("-version").first()


def framed(event: str, language: str, wording: Wording, values: Mapping[str, Any]) -> str:
    """The whole notice. Raises BadTextError where the text names what it may not, or says nothing or too much."""
    subject, body = _filled(event, "subject", wording.subject, values), _filled(event, "body", wording.body, values)
    said = {"shipped": path_of(event, language), "edited_subject": " ".join(subject.split()), "edited_body": body}
    return render_to_string(FRAME, dict(values) | said)


def may_name(event: str, names: Iterable[str]) -> frozenset[str]:
    """Those of the names that a text of this event may say. What goes beyond an incident does not name its title."""
    hidden = FRAME_ONLY | ({"incident_title"} if event in BEYOND_THE_ROOM else frozenset())
    return frozenset(names) - hidden


def _filled(event: str, field: str, text: str, values: Mapping[str, Any]) -> str:
    """Words that only together make a link are taken apart here: what the values say is not known before."""
    try:
        template = compiled(text, may_name(event, values))
        said = unlinked(template.render(Context(dict(values), autoescape=False))).strip()
    except BadTextError as error:
        raise BadTextError(str(error), field) from None
    except NoVariableError as error:
        raise BadTextError(f"It names what this notice does not know: {error}.", field) from None
    if not said:
        raise BadTextError("It says nothing once it is filled. Write something outside of every {% if %}.", field)
    if len(said) > FILLED_MAX:
        raise BadTextError(f"Filled, it has {len(said):,} characters. Shorten it to {FILLED_MAX:,}.", field)
    return said

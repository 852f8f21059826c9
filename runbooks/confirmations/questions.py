"""What the runbook asks of holders beside the password, on the staff pages. Every answer may be left out.

The texts are marked for translation here and said in the holder's language by the page; what is kept are the keys and
the short answers, so that a coordinator reads the same whatever the language was.
"""

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

TEXT_MAX: Final = 200
CHOICES: Final[tuple[tuple[str, Promise], ...]] = (
    ("yes", _("Yes")),
    ("no", _("No")),
    ("not_sure", _("I am not sure")),
)


@dataclass(frozen=True, slots=True)
class Question:
    """One question: with CHOICES, or with a few words."""

    key: str
    label: Promise
    hint: Promise
    is_choice: bool = False


QUESTIONS: Final = (
    Question(
        "abroad",
        _("Have you signed in from outside the country in the last 30 days?"),
        _("On a phone, a tablet or a computer"),
        is_choice=True,
    ),
    Question(
        "reused",
        _("Did you use the old password anywhere else?"),
        _("If you did, change it there too. Do not tell us the password, and do not tell us where."),
        is_choice=True,
    ),
    Question(
        "others",
        _("Who else can open your mailbox?"),
        _("For example an assistant, or the members of a team."),
    ),
    Question(
        "odd",
        _("Have you had odd calls or messages about this?"),
        _("For example somebody who asked you for a password or a code. Say when, and who they said they were."),
    ),
)

"""Texts as the portal came: of each event's template the two parts that an administrator may write anew."""

import re
from dataclasses import dataclass
from typing import Final

from django.template import Engine

FOLDERS: Final = {"en-gb": "notifications", "cy": "notifications/cy"}
PART: Final = re.compile(r"\{% block (subject|body) %\}(.*?)\{% endblock %\}", re.S)


@dataclass(frozen=True, slots=True)
class Wording:
    """Subject and body of one event in one language, as they are written: with names in braces."""

    subject: str
    body: str


def path_of(event: str, language: str) -> str:
    return f"{FOLDERS[language]}/{event}.txt"


def shipped(event: str, language: str) -> Wording:
    parts = dict(PART.findall(_source(event, language)))
    return Wording(parts["subject"].strip(), parts["body"].strip())


def is_of_an_incident(event: str) -> bool:
    """Whether the frame around the text says which incident it is about; else it is about the portal or its reader."""
    return '"notifications/_notice.txt"' in _source(event, "en-gb").partition("\n")[0]


def _source(event: str, language: str) -> str:
    return Engine.get_default().get_template(path_of(event, language)).source

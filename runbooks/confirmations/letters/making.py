"""From letters to PDF, by typst in a process of its own."""

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import segno

from runbooks.confirmations.letters import wording
from runbooks.confirmations.letters.contents import Envelope, Language, Letter, Sender
from runbooks.typesetting import printable, set_pdf

FOLDER: Final = Path(__file__).parent
# The window holds five lines of forty characters.
NAME_MAX, OFFICE_MAX, DEPARTMENT_MAX = 76, 76, 38
ACCOUNT_MAX, SENTENCE_MAX = 320, 400
STAFF_LANGUAGE: Final[Language] = "en-gb"


def make_letters(
    letters: Sequence[Letter], *, run: int, sender: Sender, made_at: datetime, is_exercise: bool = False
) -> bytes:
    """A PDF of all letters in their order, each beginning on a new page. The file holds every code: keep it nowhere.

    Raises ValueError where there is no letter, SettingError where typst fails. Takes seconds: not for a transaction.
    """
    if not letters:
        raise ValueError("A run of letters needs one letter at least.")
    first = letters[0]
    content = {
        "title": wording.texts(first.language)["title"].format(run=run, incident=printable(first.incident, most=40)),
        "institution": printable(sender.institution, most=60),
        "texts": {
            language: _common(language, sender.writing(language))
            for language in {letter.language for letter in letters}
        },
        "letters": [_own(letter, run, sender, made_at) for letter in letters],
        "is_exercise": is_exercise,
    }
    return _pdf("letter.typ", content, made_at)


def make_envelope_list(
    envelopes: Sequence[Envelope], *, run: int, incident: str, sender: Sender, made_at: datetime
) -> bytes:
    """A PDF by which a run's envelopes are counted and ticked off. It knows no code, also where letters are given.

    Raises SettingError where typst fails.
    """
    content = {
        "title": f"Envelope list, run {run} of {printable(incident, most=40)}",
        "institution": printable(sender.institution, most=60),
        "made": wording.moment(made_at, sender.zone, STAFF_LANGUAGE),
        "envelopes": [[str(envelope.number), *_place(envelope)] for envelope in envelopes],
    }
    return _pdf("envelopes.typ", content, made_at)


def _place(envelope: Envelope) -> tuple[str, str, str]:
    """Name, office and department as the window shows them, whether or not the fonts know a script."""
    return (
        printable(envelope.name, most=NAME_MAX) or printable(envelope.account, most=NAME_MAX),
        printable(envelope.office, most=OFFICE_MAX),
        printable(envelope.department, most=DEPARTMENT_MAX),
    )


def _common(language: Language, sender: Sender) -> dict[str, Any]:
    """What all letters of a language say alike."""
    texts = wording.texts(language)
    telephone = printable(sender.desk_telephone, most=40)
    desk = texts["desk_on_phone"].format(telephone=telephone) if telephone else texts["desk_on_pass"]
    known = {"address": sender.address, "host": sender.host, "desk": desk}
    return {
        "language": language.partition("-")[0],
        "region": language.partition("-")[2].upper() or "GB",
        "sender": texts["sender"].format(institution=printable(sender.institution, most=30)),
        "address": sender.address,
        "qr": texts["qr"].format(**known),
        "drawing": _qr(sender.page_url),
        "steps": [text.format(**known) for text in texts["steps"]],
        "checks": [text.format(**known) for text in texts["checks"]],
        **{key: texts[key] for key in ("heading", "exercise", "reference", "why", "page", "account", "code")},
        **{key: texts[key] for key in ("next", "genuine", "other", "refuse")},
    }


def _own(letter: Letter, run: int, sender: Sender, made_at: datetime) -> dict[str, Any]:
    """What only this letter says."""
    texts = wording.texts(letter.language)
    incident = printable(letter.incident, most=40)
    return {
        "language": letter.language,
        "window": [line for line in _place(letter) if line],
        "date": wording.day(made_at, sender.zone, letter.language),
        "incident": incident,
        "what_happened": printable(letter.what_happened, most=SENTENCE_MAX),
        "account": printable(letter.account, most=ACCOUNT_MAX),
        "code": letter.code,
        "valid": texts["valid"].format(expires=wording.moment(letter.expires_at, sender.zone, letter.language)),
        "footer": texts["footer"].format(incident=incident, run=run, number=letter.number),
    }


def _qr(address: str) -> str:
    """An SVG drawing of the address alone. A fifth of it may be torn or smudged."""
    drawing = io.BytesIO()
    segno.make_qr(address, error="q").save(drawing, kind="svg", border=4, xmldecl=False)
    return drawing.getvalue().decode()


def _pdf(template: str, content: Mapping[str, Any], made_at: datetime) -> bytes:
    return set_pdf(FOLDER / template, content, made_at=made_at)

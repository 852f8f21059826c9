"""Cells of a CSV that no spreadsheet calculates, and that give back what stood in them.

A spreadsheet takes a cell for a formula by its first character. So an apostrophe is set before = + - @ (their wide
forms, too), tab and line break at the beginning of a cell; and before = + - @ after a comma, semicolon, tab or line
break inside of one, since a program that was told another separator, or minds no quotation marks, begins a cell there.
Spaces, quotation marks and apostrophes before such a character do not hide it. (OWASP, CSV Injection.)

`unguard` takes exactly these apostrophes away again.
"""

import re
from typing import Final

OPERATORS: Final = "=+@＝＋－＠-"
# Both dialects read it alike; in PostgreSQL's, too, ^ is the beginning of the text and not of a line.
AT_BEGINNING: Final = rf"^(?='*[ \"]*[\t\r\n{OPERATORS}])"
AFTER_SEPARATOR: Final = rf"(?<=[,;\t\r\n])(?='*[ \"]*[{OPERATORS}])"
SPOT: Final = f"{AT_BEGINNING}|{AFTER_SEPARATOR}"
# Asked first in the database, where looking around costs more: whether a text, or several with commas between, can have
# such a spot at all.
SUSPECT: Final = rf"(^|[,;\t\r\n])[ \"']*[\t\r\n{OPERATORS}]"

_SPOT: Final = re.compile(SPOT)
_GUARDED: Final = re.compile(rf"^'(?='*[ \"]*[\t\r\n{OPERATORS}])|(?<=[,;\t\r\n])'(?='*[ \"]*[{OPERATORS}])")


def guard(text: str) -> str:
    return _SPOT.sub("'", text)


def unguard(text: str) -> str:
    """What `guard` was given."""
    return _GUARDED.sub("", text)


def cell(text: str) -> str:
    """Guarded and in quotation marks."""
    return '"' + guard(text).replace('"', '""') + '"'


def cell_sql(text: str) -> str:
    """The same in SQL, parts for concat(); NULL becomes an empty cell."""
    return quoted_sql(f"regexp_replace({text}, {_literal(SPOT)}, '''', 'g')")


def quoted_sql(text: str) -> str:
    """In quotation marks, for texts that `suspect_sql` found harmless."""
    return f"""'"', replace({text}, '"', '""'), '"'"""


def suspect_sql(text: str) -> str:
    """Whether anything in the text is to be guarded; cheaper to ask than to guard."""
    return f"{text} ~ {_literal(SUSPECT)}"


def _literal(pattern: str) -> str:
    return "'" + pattern.replace('\\"', '"').replace("'", "''") + "'"
